import { spawn } from "node:child_process";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DATA_PLANE_NODE_OPTIONS, type ScorerConfig, type StartFile } from "@slipway/api";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { type Cgroup, type Cgroups, joinCgroup } from "../../platform/cgroup.ts";
import type { Clock } from "../../platform/clock.ts";
import { newSecret } from "../../platform/ids.ts";
import { currentBootId, identifyProcess, type ProcessIdentity } from "../../platform/process-identity.ts";
import { SAFE_ENV } from "../../platform/sandbox.ts";
import type { RestartCount } from "../replica/restart-back-off.ts";
import { type RunFolder, socketPaths } from "../replica/run-folder.ts";
import { scorerLimits } from "../replica/scorer-limits.ts";
import type { Deployment } from "../target.ts";
import { isLimitedItself } from "./look-at-replica.ts";
import { scorerNotStarted } from "./process-errors.ts";
import { type ProcessRecord, writeRecord } from "./process-record.ts";
import { type RuntimeOptions, scorerRuntime } from "./scorer-runtime.ts";

export interface StartOptions extends RuntimeOptions {
  readonly nodePath: string;
  /** for Node itself, for instance `--conditions=slipway-source` */
  readonly execArgv: readonly string[];
  readonly scorerMain: string;
  readonly shortFolderRoot: string;
  readonly cgroups: Cgroups | undefined;
  readonly legacyStatusCodes: boolean;
  /** for the times that programs print */
  readonly timeZone: string | undefined;
  readonly clock: Clock;
}

const CRASH_LOG_ROTATE_BYTES = 1024 * 1024;

/** Starts a scorer for a run folder in which none runs. It outlives us: nothing of it hangs on this process. */
export async function startReplica(
  deployment: Deployment,
  run: RunFolder,
  count: RestartCount,
  options: StartOptions,
): Promise<void> {
  const { config, start } = await writeStart(deployment, run, options);
  await using crashLog = await openCrashLog(run);
  const { size } = await crashLog.stat();
  const startedAt = options.clock.now().toISOString();
  const process = await spawnScorer(start, crashLog.fd);
  await writeRecord(run, { ...newRecord(config.nonce), process, startedAt, crashLogOffset: size, ...count });
}

/** Everything for a start but the start: whoever runs what `start.json` says has the replica. */
export async function prepareReplica(deployment: Deployment, run: RunFolder, options: StartOptions): Promise<void> {
  const { config } = await writeStart(deployment, run, options);
  await writeRecord(run, { ...newRecord(config.nonce), startedAt: options.clock.now().toISOString(), stopped: true });
}

async function writeStart(
  deployment: Deployment,
  run: RunFolder,
  options: StartOptions,
): Promise<{ readonly config: ScorerConfig; readonly start: StartFile }> {
  await mkdir(run.logs, { recursive: true, mode: 0o700 });
  const cgroup = await options.cgroups?.create(run.replicaId, deployment);
  const config = await scorerConfig(deployment, run, cgroup, options);
  for (const stale of [config.httpSocket, config.framesSocket, run.exitFile]) await rm(stale, { force: true });
  await writeFileAtomically(run.configFile, `${JSON.stringify(config, undefined, 2)}\n`);
  const nodeOptions = [...options.execArgv, ...DATA_PLANE_NODE_OPTIONS];
  const command = [options.nodePath, ...nodeOptions, options.scorerMain, run.folder];
  const start: StartFile = {
    command: [...(cgroup !== undefined && isLimitedItself(config) ? joinCgroup(cgroup, command) : command)],
    // A scorer that was compiled once starts in about half the time.
    env: { ...outerEnvironment(options), NODE_COMPILE_CACHE: join(dirname(run.folder), "compile-cache") },
    outputFile: run.crashLog,
    bootId: await currentBootId(),
  };
  await writeFileAtomically(run.startFile, `${JSON.stringify(start, undefined, 2)}\n`);
  return { config, start };
}

/** Of a process that nobody has started. */
function newRecord(nonce: string): Omit<ProcessRecord, "startedAt"> {
  return {
    process: { bootId: "", pid: 0, startTicks: "0" },
    nonce,
    crashLogOffset: 0,
    restarts: 0,
    shortRuns: 0,
    answered: false,
    failureReported: false,
    stopped: false,
  };
}

async function scorerConfig(
  deployment: Deployment,
  run: RunFolder,
  cgroup: Cgroup | undefined,
  options: StartOptions,
): Promise<ScorerConfig> {
  const runtime = await scorerRuntime(deployment, run, options);
  if (runtime.kind === "python") {
    runtime.env = { ...outerEnvironment(options) };
    if (cgroup !== undefined) runtime.command = [...joinCgroup(cgroup, runtime.command)];
  }
  return {
    replicaId: run.replicaId,
    nonce: newSecret(),
    runFolder: run.folder,
    ...(await socketPaths(run, options.shortFolderRoot)),
    runtime,
    ...scorerLimits(deployment),
    memoryGuard: options.cgroups?.memory ?? "watchdog",
    ...(cgroup && { cgroup: cgroup.memoryFolder }),
    legacyStatusCodes: options.legacyStatusCodes,
  };
}

/** Nothing of ours is inherited but the time zone; the workers' own variables come from their sandbox. */
function outerEnvironment({ timeZone }: StartOptions): Readonly<Record<string, string>> {
  return timeZone === undefined ? SAFE_ENV : { ...SAFE_ENV, TZ: timeZone };
}

async function openCrashLog(run: RunFolder) {
  // The scorer writes its own log; what comes here is what Node prints when it dies.
  const file = await open(run.crashLog, "a", 0o600);
  if ((await file.stat()).size < CRASH_LOG_ROTATE_BYTES) return file;
  await file.close();
  await rename(run.crashLog, `${run.crashLog}.1`);
  return open(run.crashLog, "a", 0o600);
}

async function spawnScorer({ command, env }: StartFile, output: number): Promise<ProcessIdentity> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: "/",
    env,
    // Files, never pipes: a pipe breaks when this process ends, and the log is lost.
    stdio: ["ignore", output, output],
    detached: true,
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) {
    throw await new Promise((resolve) => child.once("error", (error) => resolve(scorerNotStarted(error))));
  }
  // An identity that no process has stands for one that is over already.
  return (await identifyProcess(pid)) ?? { bootId: "", pid, startTicks: "0" };
}
