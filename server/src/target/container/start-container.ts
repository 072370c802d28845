import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { imagePaths, type ScorerConfig } from "@slipway/api";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import type { Clock } from "../../platform/clock.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { engineRefused } from "../../platform/engine/engine-errors.ts";
import type { Limit } from "../../platform/engine/own-limits.ts";
import { newSecret } from "../../platform/ids.ts";
import { currentBootId } from "../../platform/process-identity.ts";
import type { RestartCount } from "../replica/restart-back-off.ts";
import { scorerLimits } from "../replica/scorer-limits.ts";
import type { Deployment, ImageBundle, RunContext } from "../target.ts";
import { type ContainerRecord, writeRecord } from "./container-record.ts";
import { containerRuntime } from "./container-runtime.ts";
import { containerName, containerSettings } from "./container-settings.ts";
import { type ContainerUser, containerUser, type OwnUser } from "./container-user.ts";
import { outerSockets, type ReplicaFolder, removeStrangeFiles } from "./replica-folder.ts";
import { type StartFileOptions, writeStartFile } from "./start-file.ts";

export interface StartOptions extends StartFileOptions {
  /** @returns the image's id in the engine */
  ensureImage(engine: EngineClient, bundle: ImageBundle, context: RunContext): Promise<string>;
  /** tells the containers of several installations on one engine apart: letters and digits */
  readonly installation: string;
  readonly own: OwnUser;
  readonly network: "bridge" | "none";
  readonly limits: readonly Limit[];
  readonly shortFolderRoot: string;
  readonly legacyStatusCodes: boolean;
  /** for the times that programs print */
  readonly timeZone: string | undefined;
  readonly clock: Clock;
}

/** Creates and starts the container of a replica that has none. It outlives us: the engine keeps it. */
export async function startContainer(
  engine: EngineClient,
  deployment: Deployment,
  folder: ReplicaFolder,
  count: RestartCount,
  options: StartOptions,
  context: RunContext,
): Promise<void> {
  const containerId = await makeContainer(engine, deployment, folder, { ...count, stopped: false }, options, context);
  await engine.startContainer(containerId);
}

/** Everything for a start but the start: whoever runs what `start.json` says has the replica. */
export async function prepareContainer(
  engine: EngineClient,
  deployment: Deployment,
  folder: ReplicaFolder,
  options: StartOptions,
  context: RunContext,
): Promise<void> {
  const state = { restarts: 0, shortRuns: 0, stopped: true };
  await makeContainer(engine, deployment, folder, state, options, context);
}

async function makeContainer(
  engine: EngineClient,
  deployment: Deployment,
  folder: ReplicaFolder,
  state: RestartCount & Pick<ContainerRecord, "stopped">,
  options: StartOptions,
  context: RunContext,
): Promise<string> {
  const info = await engine.info();
  const user = containerUser(deployment.id, options.own, info, await engine.isPodman());
  const nonce = newSecret();
  await prepareFolder(folder, user);
  await writeConfig(folder, await scorerConfig(deployment, folder, nonce, options), user);
  const create = async () => {
    const imageId = await options.ensureImage(engine, deployment.bundle, context);
    const settings = containerSettings({ ...options, deployment, folder, imageId, user, info });
    return engine.createContainer(containerName(options.installation, folder), settings);
  };
  // Somebody may remove the image between the look at it and the container's creation.
  const containerId = (await create()) ?? (await create());
  if (containerId === undefined || containerId === "conflict") {
    throw engineRefused("the container", containerId === undefined ? 404 : 409, "its image or its name does not stay");
  }
  await writeStartFile(engine, folder, containerId, options);
  await writeRecord(folder, {
    containerId,
    nonce,
    ...(await outerSockets(folder, options.shortFolderRoot)),
    memoryBytes: deployment.memoryBytes,
    startTimeoutMs: deployment.startTimeoutMs,
    bootId: await currentBootId(),
    startedAt: options.clock.now().toISOString(),
    ...state,
    answered: false,
    failureReported: false,
  });
  return containerId;
}

/** No container runs now, so nobody can change what is looked at here. */
async function prepareFolder({ shared, run }: ReplicaFolder, { owner }: ContainerUser): Promise<void> {
  await rm(shared, { recursive: true, force: true });
  await mkdir(join(shared, "logs"), { recursive: true, mode: 0o700 });
  await mkdir(run.logs, { recursive: true, mode: 0o700 });
  await removeStrangeFiles(run.logs);
  if (owner !== undefined) for (const path of [shared, run.logs]) await chown(path, owner, owner);
}

async function writeConfig({ configFile }: ReplicaFolder, config: ScorerConfig, { owner }: ContainerUser) {
  await writeFileAtomically(configFile, `${JSON.stringify(config, undefined, 2)}\n`);
  if (owner !== undefined) await chown(configFile, owner, owner);
}

async function scorerConfig(
  deployment: Deployment,
  { run }: ReplicaFolder,
  nonce: string,
  { legacyStatusCodes }: StartOptions,
): Promise<ScorerConfig> {
  return {
    replicaId: run.replicaId,
    nonce,
    runFolder: imagePaths.run,
    httpSocket: join(imagePaths.run, "http.sock"),
    framesSocket: join(imagePaths.run, "frames.sock"),
    runtime: await containerRuntime(deployment.bundle),
    ...scorerLimits(deployment),
    memoryGuard: "container",
    legacyStatusCodes,
  };
}
