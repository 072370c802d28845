import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { type Cause, ExitReason, type ScorerState } from "@slipway/api";
import type { Container } from "../../platform/engine/engine-answers.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { AppError, errnoCode } from "../../platform/errors.ts";
import { parseFile } from "../../platform/parse-file.ts";
import { currentBootId } from "../../platform/process-identity.ts";
import { askScorer } from "../replica/ask-scorer.ts";
import { describeAnswer, startDeadlineMs } from "../replica/describe-answer.ts";
import {
  machineRestarted,
  scorerEnded,
  scorerOutOfMemory,
  scorerSilent,
  startTooSlow,
} from "../replica/replica-causes.ts";
import type { ReplicaObservation } from "../target.ts";
import { containerRemoved, containerStopped, probablyOutOfMemory } from "./container-causes.ts";
import { type ContainerRecord, readRecord } from "./container-record.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** What is known of one replica at one moment. */
export type ContainerLook =
  | { readonly kind: "absent" }
  | { readonly kind: "answering"; readonly record: ContainerRecord; readonly state: ScorerState }
  | { readonly kind: "silent"; readonly record: ContainerRecord }
  | { readonly kind: "gone"; readonly record: ContainerRecord; readonly cause?: Cause }
  /** its scorer does not answer, and neither does the engine */
  | { readonly kind: "unknown"; readonly record: ContainerRecord; readonly cause: Cause };

/** The socket is asked first: a container is ours only if it knows the nonce, and while it answers the engine does not matter. */
export async function lookAtContainer(
  folder: ReplicaFolder,
  findEngine: () => Promise<EngineClient>,
  patient = false,
): Promise<ContainerLook> {
  const record = await readRecord(folder);
  if (record === undefined) return { kind: "absent" };
  const state = await askScorer(record.httpSocket, patient);
  if (state?.nonce === record.nonce) return { kind: "answering", record, state };
  try {
    const engine = await findEngine();
    const container = await engine.container(record.containerId);
    if (container?.State.Running) return { kind: "silent", record };
    const cause = record.stopped ? undefined : await causeOfEnd(folder, record, engine, container);
    return { kind: "gone", record, ...(cause && { cause }) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: "unknown", record, cause: { code: error.code, message: error.message } };
  }
}

async function causeOfEnd(
  folder: ReplicaFolder,
  record: ContainerRecord,
  engine: EngineClient,
  container: Container | undefined,
): Promise<Cause> {
  const reason = parseFile(ExitReason, await readUntrusted(folder.exitFile));
  if (reason?.cause !== undefined) return reason.cause;
  if (record.bootId !== (await currentBootId())) return machineRestarted();
  if (container === undefined) return containerRemoved();
  const { OOMKilled, ExitCode, Error: failure } = container.State;
  // A kill for memory may have hit a worker long ago: this end is one only if the scorer was killed.
  if (OOMKilled && ExitCode === EXIT_KILLED) return scorerOutOfMemory(record.memoryBytes);
  // Podman does not always see it.
  if (ExitCode === EXIT_KILLED && (await engine.isPodman())) return probablyOutOfMemory(record.memoryBytes);
  if (ExitCode === 0 || ExitCode === EXIT_TERMINATED) return containerStopped();
  const output = [await engine.output(record.containerId, CRASH_LINES), failure ?? ""].join("\n");
  return scorerEnded(output, ExitCode === EXIT_KILLED ? { signal: "SIGKILL" } : { exitCode: ExitCode });
}

const EXIT_KILLED = 128 + 9;
const EXIT_TERMINATED = 128 + 15;
const CRASH_LINES = 100;
const MAX_EXIT_BYTES = 256 * 1024;

/** User code may put there what it likes: a link to a file of ours, a pipe that never ends, gigabytes. */
async function readUntrusted(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile() || found.size > MAX_EXIT_BYTES) return undefined;
    return await file.readFile("utf8");
  } catch (error) {
    if (errnoCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The look in the contract's words. `nowMs` decides between slow and too slow. */
export function describeContainer(id: string, look: ContainerLook, nowMs: number): ReplicaObservation {
  const nothing = { id, restarts: look.kind === "absent" ? 0 : look.record.restarts, memoryBytes: 0, timings: {} };
  switch (look.kind) {
    case "absent":
      return { ...nothing, state: "stopped" };
    case "answering":
      return describeAnswer(id, look.state, look.record, look.record.restarts);
    case "silent": {
      const { answered, startedAt, startTimeoutMs } = look.record;
      if (answered) return { ...nothing, state: "failed", cause: scorerSilent() };
      if (nowMs - Date.parse(startedAt) <= startDeadlineMs(look.record)) return { ...nothing, state: "starting" };
      return { ...nothing, state: "failed", cause: startTooSlow(startTimeoutMs) };
    }
    case "gone":
      return { ...nothing, state: "stopped", ...(look.cause && { cause: look.cause }) };
    case "unknown":
      return { ...nothing, state: "failed", cause: look.cause };
  }
}

/** True for what will become ready or say why not. A failure that was told before is not told again: asked again, we try again. */
export function isOnItsWay(look: ContainerLook, nowMs: number): boolean {
  if (look.kind === "absent" || look.kind === "gone" || look.kind === "unknown" || isDraining(look)) return false;
  return (
    describeContainer("", look, nowMs).state !== "failed" || (look.kind === "answering" && !look.record.failureReported)
  );
}

export function isDraining(look: ContainerLook): boolean {
  return look.kind === "answering" && look.state.phase === "draining";
}
