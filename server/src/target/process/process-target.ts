import { access, mkdir, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { Type } from "typebox";
import { AppError } from "../../platform/errors.ts";
import type { Log } from "../../platform/log.ts";
import { pause } from "../../platform/pause.ts";
import { identifyProcess } from "../../platform/process-identity.ts";
import { createKeyedLock } from "../replica/keyed-lock.ts";
import { readLogs, retireLogs } from "../replica/replica-logs.ts";
import { restartAfter } from "../replica/restart-back-off.ts";
import { checkDeploymentId, type RunFolder, runFolder } from "../replica/run-folder.ts";
import { summarize } from "../replica/summarize.ts";
import type { Check, Deployment, Observation, ReplicaObservation, RunContext, Target } from "../target.ts";
import { describeReplica, lookAtReplica, type ReplicaLook } from "./look-at-replica.ts";
import { type ProcessRecord, updateRecord } from "./process-record.ts";
import { replicasThere } from "./scorer-processes.ts";
import { sleepReplica, standbyOf } from "./sleep-replica.ts";
import { type StartOptions, startReplica } from "./start-replica.ts";
import { stopReplica } from "./stop-replica.ts";

export interface ProcessTargetOptions extends Omit<StartOptions, "shortFolderRoot"> {
  /** `DIR/run`; made if missing */
  readonly folder: string;
  /** for sockets whose path in `folder` would be too long; the system's temporary folder if not given */
  readonly shortFolderRoot?: string;
  readonly log: Log;
}

/** How often a starting scorer is looked for that has no socket yet. */
const POLL_MS = 20;

/** Runs images as plain processes of this machine: one scorer for each replica, which lives on without us. */
export function createProcessTarget(options: ProcessTargetOptions): Target {
  const { folder: root, log, clock } = options;
  const startOptions: StartOptions = { ...options, shortFolderRoot: options.shortFolderRoot ?? tmpdir() };
  const lock = createKeyedLock();
  const look = (run: RunFolder, patient = false) => lookAtReplica(run, options.cgroups, patient);

  async function observe(deployment: Deployment): Promise<Observation> {
    if (deployment.replicas === 0) return observeAsleep(deployment);
    const runs = replicasOf(deployment);
    const looks = await Promise.all(runs.map((run) => look(run)));
    const nowMs = clock.now().getTime();
    const replicas = looks.map((found, index) => describe(runs[index]?.replicaId ?? "", found, nowMs));
    if (looks.every((found) => found.kind === "absent")) {
      return { state: "absent", replicas: [], enforcement: enforcement(deployment) };
    }
    return { ...summarize(replicas), enforcement: enforcement(deployment) };
  }

  async function observeAsleep(deployment: Deployment): Promise<Observation> {
    const run = firstReplica(deployment);
    const standby = await standbyOf(run, startOptions);
    const found = await look(run);
    const common = { enforcement: enforcement(deployment), ...(standby && { standby }) };
    if (found.kind === "answering" || found.kind === "silent") {
      return { ...summarize([describe(run.replicaId, found, clock.now().getTime())]), ...common };
    }
    return { state: standby === undefined ? "absent" : "asleep", replicas: [], ...common };
  }

  async function apply(deployment: Deployment, context: RunContext): Promise<Observation> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    if (deployment.replicas === 0) return putToSleep(deployment, context);
    const [replicas] = await Promise.all([
      Promise.all(replicasOf(deployment).map((run, index) => bringUp(deployment, run, index, context))),
      removeBeyond(deployment, deployment.replicas, context),
    ]);
    return { ...summarize(replicas), enforcement: enforcement(deployment) };
  }

  async function putToSleep(deployment: Deployment, context: RunContext): Promise<Observation> {
    const run = firstReplica(deployment);
    await Promise.all([
      lock(run.replicaId, () => sleepReplica(deployment, run, startOptions, context.signal)),
      removeBeyond(deployment, 1, context),
    ]);
    return observeAsleep(deployment);
  }

  async function removeBeyond({ id }: Deployment, count: number, context: RunContext): Promise<void> {
    const kept = new Set(Array.from({ length: count }, (_, index) => runFolder(root, id, index).folder));
    const surplus = (await replicasThere(root, id)).filter(({ folder }) => !kept.has(folder));
    await removeReplicas(id, surplus, context);
  }

  async function bringUp(
    deployment: Deployment,
    run: RunFolder,
    index: number,
    context: RunContext,
  ): Promise<ReplicaObservation> {
    const name = `replica ${index + 1} of ${deployment.replicas}`;
    try {
      // One start at a time: two calls for one deployment must not make two scorers.
      const start = () => lock(run.replicaId, () => ensureStarted(deployment, run, name, context));
      for (let waitMs = await start(); waitMs > 0; waitMs = await start()) {
        context.say(`Waiting ${Math.ceil(waitMs / 1000)} s before ${name} is started again.`);
        await pause(waitMs, context.signal);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.warn("a replica could not be started", { replica: run.replicaId, error });
      return notStarted(run, error);
    }
    return untilSettled(run, name, context);
  }

  /** @returns milliseconds to wait before asking again: it failed too often to be started at once */
  async function ensureStarted(
    deployment: Deployment,
    run: RunFolder,
    name: string,
    { signal, say }: RunContext,
  ): Promise<number> {
    signal.throwIfAborted();
    const found = await look(run);
    const nowMs = clock.now().getTime();
    if (isOnItsWay(found, nowMs)) return 0;
    const restart = restartAfter(
      found.kind === "absent" ? undefined : found.record,
      nowMs,
      found.kind === "gone" && found.cause?.code === "MachineRestarted",
    );
    if (restart.delayMs > 0) return restart.delayMs;
    // Also when nothing seems to run: what a crash or an outside hand left must not share the folder with the new scorer.
    await stopReplica(run, { cgroups: options.cgroups, signal, drain: isDraining(found) });
    say(`Starting ${name}.`);
    log.info("starting a replica", {
      replica: run.replicaId,
      service: deployment.service,
      restarts: restart.count.restarts,
    });
    await startReplica(deployment, run, restart.count, startOptions);
    return 0;
  }

  async function untilSettled(run: RunFolder, name: string, { signal, say }: RunContext): Promise<ReplicaObservation> {
    for (;;) {
      // Once its socket is there, the scorer itself answers at the moment when the start is over.
      const found = await look(run, true);
      const now = clock.now();
      const replica = describe(run.replicaId, found, now.getTime());
      await remember(run, found, replica, now.toISOString());
      if (replica.state === "ready") say(`Ready: ${name}${times(replica)}.`);
      if (replica.state !== "starting") return replica;
      await pause(POLL_MS, signal);
    }
  }

  async function remove({ id }: Pick<Deployment, "id">, context: RunContext): Promise<void> {
    checkDeploymentId(id);
    await removeReplicas(id, await replicasThere(root, id), context);
  }

  async function removeReplicas(id: string, runs: readonly RunFolder[], { signal, say }: RunContext): Promise<void> {
    if (runs.length > 0) say(`Stopping ${runs.length === 1 ? "the replica" : `${runs.length} replicas`}.`);
    await Promise.all(
      runs.map((run) =>
        lock(run.replicaId, async () => {
          await stopReplica(run, { cgroups: options.cgroups, signal });
          await retireLogs(root, id, run);
          await options.isolation.discardHome(run.home);
          await rm(run.folder, { recursive: true, force: true });
        }),
      ),
    );
  }

  function firstReplica({ id }: Deployment): RunFolder {
    return runFolder(root, id, 0);
  }

  function replicasOf(deployment: Deployment): readonly RunFolder[] {
    return Array.from({ length: deployment.replicas }, (_, index) => runFolder(root, deployment.id, index));
  }

  function enforcement({ bundle }: Deployment): string {
    const { cgroups, isolation } = options;
    const isPython = bundle.runtime === "python";
    const kernel = cgroups?.memory === "cgroup-v2" ? "cgroup v2" : "cgroup v1";
    const watched = `${isPython ? "watched" : "not limited"}, as control groups are not writable here`;
    const memory = cgroups === undefined ? watched : `hard limit by ${kernel}`;
    const cpu = cgroups?.cpu ? `weight by ${kernel}` : "number of threads only";
    return `Memory: ${memory}. CPU: ${cpu}.${isPython ? ` ${isolation.description}` : ""}`;
  }

  return {
    kind: "process",
    options: Type.Object({}),
    capabilities: { autoscale: true, sleep: true, tokenAuth: true, gpu: false },
    check: () => check(options),
    async capacity() {
      return { cpu: availableParallelism(), memoryBytes: process.availableMemory() };
    },
    observe,
    apply,
    remove,
    logs: ({ id }, { tail }) => readLogs(root, id, tail),
  };
}

/** Ends every scorer of a data folder, after its requests in flight; the next `apply` brings each back. */
export async function stopAllReplicas(options: {
  readonly folder: string;
  readonly cgroups: StartOptions["cgroups"];
  readonly signal: AbortSignal;
}): Promise<void> {
  const runs = await replicasThere(options.folder);
  await Promise.all(runs.map((run) => stopReplica(run, options)));
}

function describe(id: string, look: ReplicaLook, nowMs: number): ReplicaObservation {
  if (look.kind !== "absent") return describeReplica(id, look, nowMs);
  return { id, state: "stopped", restarts: 0, memoryBytes: 0, timings: {} };
}

function notStarted(run: RunFolder, { code, message }: AppError): ReplicaObservation {
  return { id: run.replicaId, state: "failed", cause: { code, message }, restarts: 0, memoryBytes: 0, timings: {} };
}

/** True for what will become ready or say why not. A failure that was told before is not told again: asked again, we try again. */
function isOnItsWay(look: ReplicaLook, nowMs: number): boolean {
  if (look.kind === "absent" || look.kind === "gone" || isDraining(look)) return false;
  return (
    describeReplica("", look, nowMs).state !== "failed" || (look.kind === "answering" && !look.record?.failureReported)
  );
}

function isDraining(look: ReplicaLook): boolean {
  return look.kind === "answering" && look.state.phase === "draining";
}

async function remember(run: RunFolder, look: ReplicaLook, replica: ReplicaObservation, now: string): Promise<void> {
  if (look.kind === "absent") return;
  await updateRecord(run, look.config.nonce, {
    ...(await startedByGateway(look, now)),
    ...(look.kind === "answering" && { answered: true }),
    ...(replica.state === "ready" && look.record?.readyAt === undefined && { readyAt: now }),
    ...(replica.state === "failed" && { failureReported: true }),
  });
}

/** It was asleep, and the gateway has started it: from now on it is a replica like any other. */
async function startedByGateway(look: ReplicaLook, now: string): Promise<Partial<ProcessRecord>> {
  if (look.kind !== "answering" || !look.record?.stopped || look.state.phase === "draining") return {};
  const process = await identifyProcess(look.state.pid);
  return process === undefined ? {} : { process, startedAt: now, stopped: false };
}

function times({ timings }: ReplicaObservation): string {
  const parts = Object.entries(timings).map(([phase, ms]) => `${phase} ${Math.round(ms)} ms`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

async function check({ nodePath, scorerMain, pythonPackageFolder }: ProcessTargetOptions): Promise<Check> {
  if (process.platform !== "linux") {
    return {
      ok: false,
      reason: "Processes are run on Linux only.",
      nextAction: "Use a container target on this machine.",
    };
  }
  for (const path of [nodePath, scorerMain, pythonPackageFolder]) {
    if (
      await access(path).then(
        () => false,
        () => true,
      )
    ) {
      return {
        ok: false,
        reason: `${path} cannot be read.`,
        nextAction: "Install Slipway again: a part of it is missing.",
      };
    }
  }
  return { ok: true };
}
