import { access, mkdir, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { Type } from "typebox";
import type { Log } from "../../platform/log.ts";
import { identifyProcess } from "../../platform/process-identity.ts";
import { createBringUp } from "../replica/bring-up.ts";
import { readLogs, retireLogs } from "../replica/replica-logs.ts";
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

/** Runs images as plain processes of this machine: one scorer for each replica, which lives on without us. */
export function createProcessTarget(options: ProcessTargetOptions): Target {
  const { folder: root, clock } = options;
  const startOptions: StartOptions = { ...options, shortFolderRoot: options.shortFolderRoot ?? tmpdir() };
  const look = (run: RunFolder, patient = false) => lookAtReplica(run, options.cgroups, patient);
  const { bringUp, alone } = createBringUp<ReplicaLook>(
    {
      look,
      describe: (run, found, nowMs) => describe(run.replicaId, found, nowMs),
      isOnItsWay,
      isDraining,
      lastStart: (found) => (found.kind === "absent" ? undefined : found.record),
      isBlameless: (found) => found.kind === "gone" && found.cause?.code === "MachineRestarted",
      stop: (run, { signal, drain }) => stopReplica(run, { cgroups: options.cgroups, signal, drain }),
      start: (deployment, run, count) => startReplica(deployment, run, count, startOptions),
      remember,
    },
    options,
  );

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
      alone(run, () => sleepReplica(deployment, run, startOptions, context.signal)),
      removeBeyond(deployment, 1, context),
    ]);
    return observeAsleep(deployment);
  }

  async function removeBeyond({ id }: Deployment, count: number, context: RunContext): Promise<void> {
    const kept = new Set(Array.from({ length: count }, (_, index) => runFolder(root, id, index).folder));
    const surplus = (await replicasThere(root, id)).filter(({ folder }) => !kept.has(folder));
    await removeReplicas(id, surplus, context);
  }

  async function remove({ id }: Pick<Deployment, "id">, context: RunContext): Promise<void> {
    checkDeploymentId(id);
    await removeReplicas(id, await replicasThere(root, id), context);
  }

  async function removeReplicas(id: string, runs: readonly RunFolder[], { signal, say }: RunContext): Promise<void> {
    if (runs.length > 0) say(`Stopping ${runs.length === 1 ? "the replica" : `${runs.length} replicas`}.`);
    await Promise.all(
      runs.map((run) =>
        alone(run, async () => {
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
