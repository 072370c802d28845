import type { EngineClient } from "../../platform/engine/engine-client.ts";
import type { Deployment, RunContext } from "../target.ts";
import type { ReplicaFolder } from "./replica-folder.ts";
import { prepareContainer, type StartOptions } from "./start-container.ts";
import { standbyOf } from "./start-file.ts";
import { restContainer, stopContainer } from "./stop-container.ts";

/**
 * Ends the replica, if it runs, and leaves its container for the gateway to start. One that the gateway starts meanwhile is the
 * same container, and serves on.
 */
export async function sleepContainer(
  engine: EngineClient,
  deployment: Deployment,
  folder: ReplicaFolder,
  options: StartOptions,
  context: RunContext,
): Promise<void> {
  const { signal } = context;
  if ((await standbyOf(async () => engine, folder, options)) !== undefined)
    return restContainer(engine, folder, signal);
  await stopContainer(engine, folder, { installation: options.installation, signal });
  await prepareContainer(engine, deployment, folder, options, context);
}
