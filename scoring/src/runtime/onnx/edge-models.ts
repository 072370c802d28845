import { stat } from "node:fs/promises";
import type { ScorerConfig } from "@slipway/api";
import { IdMap } from "@slipway/api/id-map";
import type { ScorerLog } from "../../scorer-log.ts";
import { answerJobs, type RunnableModel } from "./answer-jobs.ts";
import { openModel } from "./model-session.ts";
import type { LoadedModel, OnnxAnswer, OnnxJob, RunCount } from "./onnx-message.ts";

/** Small models that run in the thread that also serves the connections: no message to another thread and back. */
export interface EdgeModels {
  takes(payload: Uint8Array): boolean;
  add(job: OnnxJob): void;
  /** Forgets a job that nobody waits for any more, unless it runs already. */
  drop(id: number): void;
}

/** Measured: half the time of a request that goes through a thread, and up to 1.6 times as many of them on one core. */
const SMALL_RUN_MS = 0.2;
/** Nothing else is served while they load, and they are in memory a second time. */
const SMALL_FILE_BYTES = 1024 * 1024;
/** What takes longer than this to read as JSON is for the threads. */
const SMALL_PAYLOAD_BYTES = 16 * 1024;
const JOBS_AT_ONCE = 64;
/** A model may need longer for other input than it did for zeros. */
const LONG_RUN_MS = 20;
/** One may be the machine's doing; so many in a row switch it off. */
const LONG_RUNS = 3;

/** Loads the service's models once more, here, if all of them are small. */
export async function openEdgeModels(
  models: Extract<ScorerConfig["runtime"], { kind: "onnx" }>["models"],
  loaded: readonly LoadedModel[],
  version: string,
  log: ScorerLog,
  answered: (answers: readonly OnnxAnswer[], counted: RunCount) => void,
): Promise<EdgeModels | undefined> {
  try {
    const sizes = await Promise.all(models.map(async ({ file }) => (await stat(file)).size));
    if (!loaded.every(isSmall) || sizes.some((size) => size > SMALL_FILE_BYTES)) return undefined;
    const onnx = await import("onnxruntime-node");
    const runnable = new Map<string, RunnableModel>();
    for (const { name, file } of models) {
      const session = await openModel(onnx, name, file, 1);
      const maxRows = loaded.find(({ schema }) => schema.name === name)?.costs.maxRows ?? 1;
      runnable.set(name, { session, maxRows });
    }
    return edgeModels(runnable, version, log, answered);
  } catch (error) {
    log.write("scorer", `Models run in threads only: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

/** Halves need a thread that hides Float16Array from ONNX Runtime. */
function isSmall({ schema, costs }: LoadedModel): boolean {
  const hasHalves = [...schema.inputs, ...schema.outputs].some(({ type }) => type === "float16");
  return !hasHalves && costs.singleMs !== undefined && costs.singleMs < SMALL_RUN_MS;
}

export function edgeModels(
  models: ReadonlyMap<string, RunnableModel>,
  version: string,
  log: ScorerLog,
  answered: (answers: readonly OnnxAnswer[], counted: RunCount) => void,
): EdgeModels {
  const waiting = new IdMap<OnnxJob>();
  let scheduled = false;
  let longRuns = 0;

  const runWaiting = async () => {
    const jobs = [...waiting.values()].slice(0, JOBS_AT_ONCE);
    for (const { id } of jobs) waiting.delete(id);
    const began = performance.now();
    const { answers, counted } = await answerJobs(models, version, jobs);
    if (longRuns < LONG_RUNS) {
      longRuns = performance.now() - began > LONG_RUN_MS ? longRuns + 1 : 0;
      if (longRuns === LONG_RUNS)
        log.write("scorer", "The models take longer than at the start: they run in threads now.");
    }
    scheduled = false;
    answered(answers, counted);
    schedule();
  };

  const schedule = () => {
    if (scheduled || waiting.size === 0) return;
    scheduled = true;
    // What came with one read goes together.
    setImmediate(() => void runWaiting());
  };

  return {
    takes: (payload) => payload.length <= SMALL_PAYLOAD_BYTES && longRuns < LONG_RUNS,
    add(job) {
      waiting.set(job.id, job);
      schedule();
    },
    drop(id) {
      waiting.delete(id);
    },
  };
}
