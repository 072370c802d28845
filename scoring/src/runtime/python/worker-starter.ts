import type { Cause } from "@slipway/api";
import {
  type PythonWorker,
  type PythonWorkerHandlers,
  type PythonWorkerOptions,
  startPythonWorker,
} from "./python-worker.ts";
import { type PythonRuntimeConfig, spawnWorkerProcess } from "./worker-process.ts";
import { type WorkerTemplate, workerTemplate } from "./worker-template.ts";

export interface WorkerStarter {
  /** It may take a while until the worker has a process: the script may have to be imported first. */
  start(name: string, handlers: PythonWorkerHandlers): PythonWorker;
  /** After all workers: ends what they were forked from. */
  stop(): Promise<void>;
}

interface Waiting {
  begin(): void;
  fail(cause: Cause): void;
}

/** So many workers can be forked again after their death; the next ones import the script themselves. */
const SPARE_SEATS = 4;

/**
 * Starts the workers of a replica. A single one is a process of its own. Several share one import: the first imports the script,
 * and then either says that a fork would be safe and becomes the template of all, or goes on alone, and so do the others.
 */
export function workerStarter(
  common: Omit<PythonWorkerOptions, "name" | "order">,
  runtime: PythonRuntimeConfig,
  workers: number,
): WorkerStarter {
  let phase: "first" | "deciding" | "shared" | "separate" = workers === 1 ? "separate" : "first";
  let waiting: Waiting[] = [];
  let template: WorkerTemplate | undefined;
  let templateProcess: PythonWorker | undefined;
  let interpreterMs = 0;

  const startAlone = (name: string, handlers: PythonWorkerHandlers) => {
    const { process } = spawnWorkerProcess(runtime, 0);
    if (process.pid !== 0) common.admit(process.pid);
    return startPythonWorker(process, { ...common, name, order: { kind: "start" } }, handlers);
  };
  const startForked = (name: string, handlers: PythonWorkerHandlers) => {
    const process = template?.fork();
    if (process === undefined) return startAlone(name, handlers);
    return startPythonWorker(process, { ...common, name, order: { kind: "forked", interpreterMs } }, handlers);
  };
  const start = (name: string, handlers: PythonWorkerHandlers) =>
    phase === "shared" ? startForked(name, handlers) : startAlone(name, handlers);

  const decide = (decision: "shared" | "separate") => {
    phase = decision;
    const now = waiting;
    waiting = [];
    for (const { begin } of now) begin();
  };

  const startFirst = (name: string, handlers: PythonWorkerHandlers): PythonWorker => {
    phase = "deciding";
    const { process, seats } = spawnWorkerProcess(runtime, workers + SPARE_SEATS);
    if (process.pid !== 0) common.admit(process.pid);
    const descriptors = seats.map((seat) => seat.descriptors);
    const first = startPythonWorker(
      process,
      { ...common, name, order: { kind: "start", seats: descriptors } },
      {
        ...handlers,
        alone(reason) {
          common.log.write("scorer", `Each worker imports the script itself: ${reason}.`);
          for (const seat of seats) for (const pipe of [seat.socket, seat.stdout, seat.stderr]) pipe.destroy();
          decide("separate");
        },
        template(startedMs) {
          interpreterMs = startedMs;
          templateProcess = first;
          template = workerTemplate(process, seats, first.order);
          worker.become(startForked(name, handlers));
          decide("shared");
        },
        fork: (event) => template?.take(event),
        gone(cause, startFailed) {
          if (template !== undefined) {
            // The next ones are processes of their own: what ended it once may end it again.
            phase = "separate";
            const gone = template;
            template = undefined;
            gone.ended();
            return;
          }
          if (phase === "deciding" && startFailed) {
            phase = "first";
            for (const { fail } of waiting.splice(0)) fail(cause);
          } else if (phase === "deciding") {
            decide("separate");
          }
          handlers.gone(cause, startFailed);
        },
      },
    );
    const worker = changingWorker(first);
    return worker;
  };

  const startLater = (name: string, handlers: PythonWorkerHandlers): PythonWorker => {
    const worker = changingWorker();
    waiting.push({
      begin() {
        if (!worker.stopped()) worker.become(start(name, handlers));
      },
      fail(cause) {
        if (!worker.stopped()) handlers.gone(cause, true);
      },
    });
    return worker;
  };

  return {
    start(name, handlers) {
      switch (phase) {
        case "first":
          return startFirst(name, handlers);
        case "deciding":
          return startLater(name, handlers);
        case "shared":
        case "separate":
          return start(name, handlers);
      }
    },
    async stop() {
      await templateProcess?.stop();
    },
  };
}

interface ChangingWorker extends PythonWorker {
  become(worker: PythonWorker): void;
  stopped(): boolean;
}

/** One worker to whoever asked for it, whichever process it is at the moment. */
function changingWorker(first?: PythonWorker): ChangingWorker {
  let worker = first;
  let isStopped = false;
  return {
    get pid() {
      return worker?.pid ?? 0;
    },
    memoryBytes: () => worker?.memoryBytes() ?? 0,
    send: (id, kind, body) => worker?.send(id, kind, body),
    order: (order) => worker?.order(order),
    kill: (cause) => worker?.kill(cause),
    async stop() {
      isStopped = true;
      await worker?.stop();
    },
    become(next) {
      worker = next;
    },
    stopped: () => isStopped,
  };
}
