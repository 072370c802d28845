import { afterAll, beforeAll } from "vitest";
import { startDocker, startPodman } from "../../platform/testing/container-engines.ts";
import { targetConformance } from "../target-conformance.ts";
import { openContainerWorld } from "./test/container-world.ts";
import { type MachineImage, machineImage } from "./test/machine-image.ts";

let image: MachineImage;
beforeAll(async () => {
  image = await machineImage();
});
afterAll(() => image.close());

targetConformance("container (Docker)", async () => openContainerWorld(await startDocker(), image));
targetConformance("container (Podman)", async () => openContainerWorld(await startPodman(), image));
