import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "typebox";
import type { EngineInfo } from "../../platform/engine/engine-answers.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { AppError } from "../../platform/errors.ts";
import { createKeyedLock } from "../../platform/keyed-lock.ts";
import type { Log } from "../../platform/log.ts";
import { createBringUp } from "../replica/bring-up.ts";
import { readLogs, retireLogs } from "../replica/replica-logs.ts";
import {
  checkDeploymentId,
  existingRunFolders,
  type RunFolder,
  runFolder,
  runFolderAt,
} from "../replica/run-folder.ts";
import { summarize } from "../replica/summarize.ts";
import type { Deployment, Observation, ReplicaObservation, RunContext, Target } from "../target.ts";
import { checkEngine } from "./check-engine.ts";
import { updateRecord } from "./container-record.ts";
import { labels } from "./container-settings.ts";
import { engineReference, ensureImage, type FindBlobs } from "./ensure-image.ts";
import { keptImages } from "./kept-images.ts";
import { type ContainerLook, describeContainer, isDraining, isOnItsWay, lookAtContainer } from "./look-at-container.ts";
import { replicaFolder } from "./replica-folder.ts";
import { sleepContainer } from "./sleep-container.ts";
import { type StartOptions, startContainer } from "./start-container.ts";
import { standbyOf } from "./start-file.ts";
import { completeLogs, readOutput, stopContainer } from "./stop-container.ts";

export interface ContainerTargetOptions extends Omit<StartOptions, "ensureImage"> {
  readonly findBlobs: FindBlobs;
  /** `DIR/containers`; made if missing */
  readonly folder: string;
  /** @throws {AppError} when there is none */
  readonly findEngine: () => Promise<EngineClient>;
  readonly log: Log;
}

const OUTPUT_LINES = 500;

/** Runs images as containers of an engine of this machine: one for each replica, its scorer's sockets in a mounted folder. */
export function createContainerTarget(options: ContainerTargetOptions): Target {
  const { folder: root, findEngine, installation, clock } = options;
  const imageLock = createKeyedLock();
  const images = keptImages(join(root, "images.json"));
  const startOptions: StartOptions = {
    ...options,
    // Replicas that start together need it loaded once.
    ensureImage: (engine, bundle, context) =>
      imageLock(engineReference(bundle), async () => {
        const id = await ensureImage(engine, bundle, options.findBlobs, await images.references(), context);
        await images.used(engineReference(bundle));
        return id;
      }),
  };
  const look = (run: RunFolder, patient = false) => lookAtContainer(replicaFolder(run), findEngine, patient);
  const { bringUp, alone } = createBringUp<ContainerLook>(
    {
      look,
      describe: (run, found, nowMs) => describeContainer(run.replicaId, found, nowMs),
      isOnItsWay,
      isDraining,
      lastStart: (found) => (found.kind === "absent" ? undefined : found.record),
      isBlameless: (found) => found.kind === "gone" && LOST_WITH_ENGINE.includes(found.cause?.code ?? ""),
      stop: async (run, how) => stopContainer(await findEngine(), replicaFolder(run), { installation, ...how }),
      start: async (deployment, run, count, context) =>
        startContainer(await findEngine(), deployment, replicaFolder(run), count, startOptions, context),
      remember,
    },
    options,
  );
  let enforcement = "Memory and CPU: by the container engine.";

  async function observe(deployment: Deployment): Promise<Observation> {
    if (deployment.replicas === 0) return observeAsleep(deployment);
    const runs = replicasOf(deployment);
    const looks = await Promise.all(runs.map((run) => look(run)));
    if (looks.every(({ kind }) => kind === "absent")) return { state: "absent", replicas: [], enforcement };
    const nowMs = clock.now().getTime();
    const replicas = looks.map((found, index) => describeContainer(runs[index]?.replicaId ?? "", found, nowMs));
    return { ...summarize(replicas), enforcement };
  }

  async function observeAsleep(deployment: Deployment): Promise<Observation> {
    const run = firstReplica(deployment);
    const found = await look(run);
    const standby = await standbyOf(findEngine, replicaFolder(run), options);
    const common = { enforcement, ...(standby && { standby }) };
    if (found.kind === "answering" || (found.kind === "silent" && !found.record.stopped)) {
      return { ...summarize([describeContainer(run.replicaId, found, clock.now().getTime())]), ...common };
    }
    return { state: standby === undefined ? "absent" : "asleep", replicas: [], ...common };
  }

  async function apply(deployment: Deployment, context: RunContext): Promise<Observation> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await learnEnforcement();
    if (deployment.replicas === 0) return putToSleep(deployment, context);
    const [replicas] = await Promise.all([
      Promise.all(replicasOf(deployment).map((run, index) => bringUp(deployment, run, index, context))),
      removeBeyond(deployment, deployment.replicas, context),
    ]);
    return { ...summarize(replicas), enforcement };
  }

  async function putToSleep(deployment: Deployment, context: RunContext): Promise<Observation> {
    const run = firstReplica(deployment);
    const engine = await findEngine();
    await Promise.all([
      alone(run, () => sleepContainer(engine, deployment, replicaFolder(run), startOptions, context)),
      removeBeyond(deployment, 1, context),
    ]);
    return observeAsleep(deployment);
  }

  async function learnEnforcement(): Promise<void> {
    try {
      enforcement = enforcementOf(await (await findEngine()).info());
    } catch (error) {
      // What answers is adopted without the engine.
      if (!(error instanceof AppError)) throw error;
    }
  }

  async function removeBeyond({ id }: Deployment, count: number, context: RunContext): Promise<void> {
    const kept = new Set(Array.from({ length: count }, (_, index) => runFolder(root, id, index).folder));
    const surplus = (await existingRunFolders(root, id)).filter(({ folder }) => !kept.has(folder));
    await removeReplicas(id, surplus, context);
  }

  async function remove({ id }: Pick<Deployment, "id">, context: RunContext): Promise<void> {
    checkDeploymentId(id);
    await removeReplicas(id, await replicasThere(id), context);
  }

  /** Those with a folder, and those whose container is there although its folder is lost. */
  async function replicasThere(id: string): Promise<readonly RunFolder[]> {
    const runs = new Map((await existingRunFolders(root, id)).map((run) => [run.folder, run]));
    const engine = await findEngine();
    const wanted = { [labels.installation]: installation, [labels.deployment]: id };
    for (const { Labels } of await engine.containers(wanted)) {
      const run = runFolderAt(`${root}/${Labels?.[labels.replica]}`);
      if (run?.deploymentId === id) runs.set(run.folder, run);
    }
    return [...runs.values()];
  }

  async function removeReplicas(id: string, runs: readonly RunFolder[], { signal, say }: RunContext): Promise<void> {
    if (runs.length === 0) return;
    say(`Stopping ${runs.length === 1 ? "the replica" : `${runs.length} replicas`}.`);
    const engine = await findEngine();
    await Promise.all(
      runs.map((run) =>
        alone(run, async () => {
          const folder = replicaFolder(run);
          await stopContainer(engine, folder, { installation, signal });
          await completeLogs(folder);
          await retireLogs(root, id, run);
          await rm(run.folder, { recursive: true, force: true });
        }),
      ),
    );
    await images.tidy(engine);
  }

  function firstReplica({ id }: Deployment): RunFolder {
    return runFolder(root, id, 0);
  }

  function replicasOf(deployment: Deployment): readonly RunFolder[] {
    return Array.from({ length: deployment.replicas }, (_, index) => runFolder(root, deployment.id, index));
  }

  /** What its containers printed, the last one's from the engine if that can be asked. */
  async function outputOf(run: RunFolder): Promise<string> {
    const folder = replicaFolder(run);
    const found = await look(run);
    const before = await readOutput(folder);
    if (found.kind === "absent" || found.kind === "unknown") return before;
    const engine = await findEngine();
    return before + (await engine.output(found.record.containerId, OUTPUT_LINES).catch(() => ""));
  }

  return {
    kind: "container",
    options: Type.Object({}),
    capabilities: { autoscale: true, sleep: true, tokenAuth: true, gpu: false },
    check: () => checkEngine(findEngine, options.own),
    async capacity() {
      const { NCPU, MemTotal } = await (await findEngine()).info();
      return { cpu: NCPU, memoryBytes: Math.min(MemTotal, process.availableMemory()) };
    },
    observe,
    apply,
    remove,
    logs: ({ id }, { tail }) => readLogs(root, id, tail, outputOf),
  };
}

/** Stops with the engine or the machine are no sign of a service that crashes. */
const LOST_WITH_ENGINE = ["MachineRestarted", "ContainerStopped"];

function enforcementOf({ CPUShares, CgroupVersion }: EngineInfo): string {
  const cpu = CPUShares === false ? "number of threads only" : "weight by the container engine";
  const version = CgroupVersion === undefined ? "" : ` (cgroup v${CgroupVersion})`;
  return `Memory: hard limit by the container engine${version}. CPU: ${cpu}. User code runs in a container: read-only, without capabilities, under a user id of its own.`;
}

/** It was asleep, and the gateway has started it: from now on it is a replica like any other. */
function isWoken(look: ContainerLook): boolean {
  return look.kind === "answering" && look.record.stopped && !isDraining(look);
}

async function remember(run: RunFolder, look: ContainerLook, replica: ReplicaObservation, now: string): Promise<void> {
  if (look.kind === "absent") return;
  await updateRecord(replicaFolder(run), look.record.nonce, {
    ...(isWoken(look) && { stopped: false, startedAt: now }),
    ...(look.kind === "answering" && { answered: true }),
    ...(replica.state === "ready" && look.record.readyAt === undefined && { readyAt: now }),
    ...(replica.state === "failed" && { failureReported: true }),
  });
}
