import { afterAll, beforeAll, describe } from "vitest";
import { hasEngine, startDocker, startPodman } from "../../platform/testing/container-engines.ts";
import { targetConformance } from "../target-conformance.ts";
import { openContainerWorld } from "./test/container-world.ts";
import { type MachineImage, machineImage } from "./test/machine-image.ts";

let image: MachineImage;
beforeAll(async () => {
  image = await machineImage();
});
afterAll(() => image.close());

describe.skipIf(!hasEngine("docker"))("Docker", () =>
  targetConformance("container", async () => openContainerWorld(await startDocker(), image)),
);
describe.skipIf(!hasEngine("podman"))("Podman", () =>
  targetConformance("container", async () => openContainerWorld(await startPodman(), image)),
);
