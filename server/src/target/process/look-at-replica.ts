import { open } from "node:fs/promises";
import { ExitReason, ScorerConfig, type ScorerState } from "@slipway/api";
import { readFileIfThere } from "../../platform/atomic-file.ts";
import type { Cgroups } from "../../platform/cgroup.ts";
import { errnoCode } from "../../platform/errors.ts";
import { parseFile } from "../../platform/parse-file.ts";
import { identifyProcess, isAlive, type ProcessIdentity } from "../../platform/process-identity.ts";
import { askScorer } from "../replica/ask-scorer.ts";
import { describeAnswer, startDeadlineMs } from "../replica/describe-answer.ts";
import {
  machineRestarted,
  scorerEnded,
  scorerOutOfMemory,
  scorerSilent,
  startTooSlow,
} from "../replica/replica-causes.ts";
import type { RunFolder } from "../replica/run-folder.ts";
import type { ReplicaObservation } from "../target.ts";
import { type ProcessRecord, readRecord } from "./process-record.ts";
import { scorersOf } from "./scorer-processes.ts";

/** What is known of one replica at one moment. */
export type ReplicaLook =
  | { readonly kind: "absent" }
  | {
      readonly kind: "answering";
      readonly config: ScorerConfig;
      readonly record?: ProcessRecord;
      readonly state: ScorerState;
    }
  | {
      readonly kind: "silent";
      readonly config: ScorerConfig;
      readonly record?: ProcessRecord;
      readonly process: ProcessIdentity;
    }
  | {
      readonly kind: "gone";
      readonly config: ScorerConfig;
      readonly record?: ProcessRecord;
      readonly cause?: ReplicaObservation["cause"];
    };

/** The socket is asked first: a process is ours only if it knows the nonce. Pids tell no more than whether to wait. */
export async function lookAtReplica(
  run: RunFolder,
  cgroups: Cgroups | undefined,
  patient = false,
): Promise<ReplicaLook> {
  const config = parseFile(ScorerConfig, await readFileIfThere(run.configFile));
  if (config === undefined) return { kind: "absent" };
  const state = await askScorer(config.httpSocket, patient);
  const found = await readRecord(run);
  const record = found?.nonce === config.nonce ? found : undefined;
  const known = { config, ...(record && { record }) };
  if (state?.nonce === config.nonce) return { kind: "answering", ...known, state };
  const process = await livingProcess(run, record);
  if (process !== undefined) return { kind: "silent", ...known, process };
  const cause = await causeOfEnd(run, config, record, cgroups);
  return { kind: "gone", ...known, ...(cause && { cause }) };
}

/** Without a record the control plane may have been killed between start and record. */
async function livingProcess(run: RunFolder, record: ProcessRecord | undefined): Promise<ProcessIdentity | undefined> {
  if (record !== undefined) return (await isAlive(record.process)) ? record.process : undefined;
  return (await scorersOf(run))[0];
}

async function causeOfEnd(
  run: RunFolder,
  config: ScorerConfig,
  record: ProcessRecord | undefined,
  cgroups: Cgroups | undefined,
): Promise<ReplicaObservation["cause"]> {
  if (record === undefined || record.stopped) return undefined;
  const reason = parseFile(ExitReason, await readFileIfThere(run.exitFile));
  if (reason !== undefined) return reason.cause;
  const self = await identifyProcess(process.pid);
  if (self !== undefined && self.bootId !== record.process.bootId) return machineRestarted();
  if (isLimitedItself(config) && ((await cgroups?.memoryKills(run.replicaId)) ?? 0) > 0) {
    return scorerOutOfMemory(config.memoryLimitBytes ?? 0);
  }
  return scorerEnded(await crashOutput(run, record.crashLogOffset));
}

/** ONNX models run inside the scorer, so it shares their limit; a scorer with workers stands outside of theirs. */
export function isLimitedItself({ runtime }: Pick<ScorerConfig, "runtime">): boolean {
  return runtime.kind === "onnx";
}

const CRASH_TAIL_BYTES = 16 * 1024;

async function crashOutput(run: RunFolder, offset: number): Promise<string> {
  try {
    await using file = await open(run.crashLog, "r");
    const { size } = await file.stat();
    const from = Math.max(offset, size - CRASH_TAIL_BYTES);
    if (size <= from) return "";
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.subarray(0, bytesRead).toString("utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return "";
    throw error;
  }
}

/** The look in the contract's words. `nowMs` decides between slow and too slow. */
export function describeReplica(
  id: string,
  look: Exclude<ReplicaLook, { kind: "absent" }>,
  nowMs: number,
): ReplicaObservation {
  const restarts = look.record?.restarts ?? 0;
  const nothing = { id, restarts, memoryBytes: 0, timings: {} };
  switch (look.kind) {
    case "answering":
      return describeAnswer(id, look.state, look.config, restarts);
    case "silent": {
      const startedAt = look.record === undefined ? nowMs : Date.parse(look.record.startedAt);
      if (look.record?.answered) return { ...nothing, state: "failed", cause: scorerSilent() };
      if (nowMs - startedAt <= startDeadlineMs(look.config)) return { ...nothing, state: "starting" };
      return { ...nothing, state: "failed", cause: startTooSlow(look.config.startTimeoutMs) };
    }
    case "gone":
      return { ...nothing, state: "stopped", ...(look.cause && { cause: look.cause }) };
  }
}
