import type { Readable } from "node:stream";
import type { Cause } from "@slipway/api";
import { FRAME_PROTOCOL_VERSION, type Frame, FrameKind } from "@slipway/api/frames";
import { isCause } from "../../cause-shape.ts";
import type { ScorerSettings } from "../../config.ts";
import { frameConnection } from "../../frame-connection.ts";
import { decodeJson } from "../../frame-message.ts";
import { eachLine } from "../../line-splitter.ts";
import { outOfMemory, startTimeout, workerCrashed, workerNotStarted } from "../../scorer-errors.ts";
import type { ScorerLog } from "../../scorer-log.ts";
import { StackDump } from "./stack-dump.ts";
import type { PythonRuntimeConfig, WorkerProcess } from "./worker-process.ts";
import type { ForkEvent, ForkOrder } from "./worker-template.ts";

export interface PythonWorkerOptions {
  readonly config: ScorerSettings;
  readonly runtime: PythonRuntimeConfig;
  /** `worker-1`, for log and messages */
  readonly name: string;
  readonly log: ScorerLog;
  /** what the process is told first: to import the script, perhaps for others too (`seats`), or nothing, as it was forked from one that has */
  readonly order:
    | { readonly kind: "start"; readonly seats?: readonly (readonly number[])[] }
    | { readonly kind: "forked"; readonly interpreterMs: number };
  /** called with the new process before it can have done much */
  admit(pid: number): void;
  /** true when the kernel killed somebody for memory */
  takeKernelKill(): boolean;
}

export interface PythonWorkerHandlers {
  /** It was offered seats and will fork workers into them. `interpreterMs`: its own start. */
  template?(interpreterMs: number): void;
  /** It was offered seats and goes on without them. */
  alone?(reason: string): void;
  fork?(event: ForkEvent): void;
  ready(report: ReadyReport): void;
  answer(id: number, kind: FrameKind, body: Uint8Array): void;
  /** Once: the process has ended, or could not be started. `startFailed`: starting it again would end in the same way. */
  gone(cause: Cause, startFailed: boolean): void;
}

/** What the worker tells when init() is over. */
export interface ReadyReport {
  readonly timings: Readonly<Record<string, number>>;
  readonly swagger?: unknown;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly sampleInput?: unknown;
  /** how many requests an `async def run` may have in work; one after the other when absent */
  readonly requestsAtOnce?: number;
}

export interface PythonWorker {
  readonly pid: number;
  memoryBytes(): number;
  /** For a template. */
  order(order: ForkOrder): void;
  send(id: number, kind: FrameKind, body: Uint8Array): void;
  /** Lets it end in peace, for two seconds. Resolves when the process is gone and its last words are in the log. */
  stop(): Promise<void>;
  /** Ends it and all it started, now; `gone` gets this cause. */
  kill(cause: Cause): void;
}

const TAIL_LINES = 20;
/** What a dead worker wrote is read within this time, also when a process that it left behind still holds its pipes. */
const LAST_WORDS_MS = 500;
/** A worker that notices the closed socket ends within 1.5 s by itself. */
const STOP_MS = 2_000;
/** How long after the start's deadline the worker's own account of where it hangs may take to arrive. */
const STACKS_WAIT_MS = 2_000;
const STACKS_QUIET_MS = 150;

/** Brings up the worker that a new process is to be. Its output goes to the log. */
export function startPythonWorker(
  child: WorkerProcess,
  options: PythonWorkerOptions,
  handlers: PythonWorkerHandlers,
): PythonWorker {
  const { config, runtime, name, log, order } = options;
  const startedAt = performance.now();
  const tail: string[] = [];
  const stacks = new StackDump();
  let stage = "starting the interpreter";
  let interpreterMs = order.kind === "forked" ? order.interpreterMs : 0;
  let isReady = false;
  let known: { cause: Cause; startFailed: boolean } | undefined;
  let gone = false;
  const ended = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();

  const end = (cause: Cause, startFailed: boolean) => {
    if (gone) return;
    gone = true;
    clearTimeout(deadline);
    connection?.destroy();
    handlers.gone(cause, startFailed);
    ended.resolve();
  };
  const kill = (cause: Cause, startFailed = false) => {
    known ??= { cause, startFailed };
    child.kill();
  };
  const takeEvent = (event: WorkerEvent) => {
    if (event.stage !== undefined) {
      if (event.stage === "import") interpreterMs = performance.now() - startedAt;
      stage = STAGES[event.stage] ?? event.stage;
    }
    if (event.ready !== undefined) {
      clearTimeout(deadline);
      isReady = true;
      stage = "answering requests";
      const interpreter = Math.round(interpreterMs * 1000) / 1000;
      handlers.ready({ ...event.ready, timings: { interpreter, ...event.ready.timings } });
    }
    if (event.failed !== undefined) {
      clearTimeout(deadline);
      known ??= { cause: event.failed, startFailed: true };
      // It ends by itself; threads that the script left behind must not keep it.
      connection?.end();
    }
    if (event.alone !== undefined) handlers.alone?.(event.alone);
    if (event.template === true) {
      clearTimeout(deadline);
      stage = "waiting to be forked";
      handlers.template?.(interpreterMs);
    }
    handlers.fork?.(event);
  };
  const takeFrame = ({ id, kind, body }: Frame) => {
    if (kind === FrameKind.HELLO) return;
    if (kind === FrameKind.EVENT) takeEvent(workerEvent(decodeJson(body)));
    else handlers.answer(id, kind as FrameKind, body);
  };
  const takeLine = (stream: string) => (line: string) => {
    log.write(`${name} ${stream}`, line);
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    if (!isReady && stream === "stderr") stacks.take(line);
  };
  const onDeadline = (sizeBefore = -1, waitedMs = 0) => {
    const settled = stacks.size > 0 && stacks.size === sizeBefore;
    if (settled || waitedMs >= STACKS_WAIT_MS) {
      const place = stacks.place(runtime.appRoot);
      kill(startTimeout(config.startTimeoutMs / 1000, stage, place, stacks.text), true);
    } else {
      deadline = setTimeout(onDeadline, STACKS_QUIET_MS, stacks.size, waitedMs + STACKS_QUIET_MS);
    }
  };
  let deadline = setTimeout(onDeadline, config.startTimeoutMs);

  if (child.stdout !== null) eachLine(child.stdout, takeLine("stdout"));
  if (child.stderr !== null) eachLine(child.stderr, takeLine("stderr"));
  const connection =
    child.socket &&
    frameConnection(child.socket, {
      frame: takeFrame,
      closed(error) {
        disconnected.resolve();
        // Without its socket a worker is of no use; mostly it is ending already and its exit says why.
        if (error !== undefined) log.write("scorer", `${name}: ${error.message}`);
        setTimeout(child.kill, STOP_MS).unref();
      },
    });
  connection?.send(0, FrameKind.HELLO, json({ protocol: FRAME_PROTOCOL_VERSION, role: "scorer" }));
  if (order.kind === "start") {
    connection?.send(0, FrameKind.EVENT, json({ start: startOrder(config, runtime, order.seats) }));
  }

  child.onEnd((how) => {
    if ("notStarted" in how) {
      end(workerNotStarted(runtime.command[0] ?? "", how.notStarted), true);
      return;
    }
    const { exitCode, signal } = how;
    const report = () => {
      const killed = signal === "SIGKILL" || exitCode === 137;
      if (known === undefined && killed && options.takeKernelKill()) {
        known = { cause: outOfMemory(name, config.memoryLimitBytes), startFailed: !isReady };
      }
      if (known !== undefined) end(known.cause, known.startFailed);
      else end(workerCrashed(name, { exitCode, signal, tail, stage }), false);
    };
    // Its last answers and words first. What it started may hold its pipes open, so not for ever.
    void Promise.all([disconnected.promise, wholeOutput(child.stdout), wholeOutput(child.stderr)]).then(report);
    setTimeout(report, LAST_WORDS_MS).unref();
  });

  return {
    get pid() {
      return child.pid;
    },
    memoryBytes: child.memoryBytes,
    order: (forkOrder) => connection?.send(0, FrameKind.EVENT, json(forkOrder)),
    send: (id, kind, body) => connection?.send(id, kind, body),
    kill,
    async stop() {
      if (gone) return;
      connection?.end();
      const force = setTimeout(child.kill, STOP_MS);
      await ended.promise;
      clearTimeout(force);
    },
  };
}

function wholeOutput(stream: Readable | null): Promise<void> {
  if (stream === null || stream.readableEnded || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
}

const STAGES: Readonly<Record<string, string>> = { import: "importing the script", init: "running init()" };

interface WorkerEvent extends ForkEvent {
  readonly stage?: string;
  readonly ready?: ReadyReport;
  readonly failed?: Cause;
  readonly template?: true;
  readonly alone?: string;
}

/** The worker shares its process with the user's code: what it says is checked. */
function workerEvent(value: unknown): WorkerEvent {
  const { stage, ready, failed, template, alone, forked, ended } = Object(value) as Record<string, unknown>;
  return {
    ...(typeof stage === "string" && { stage }),
    ...(isReport(ready) && { ready }),
    ...(isCause(failed) && { failed }),
    ...(template === true && { template }),
    ...(typeof alone === "string" && { alone }),
    ...(isForked(forked) && { forked }),
    ...(isEnded(ended) && { ended }),
  };
}

function isForked(value: unknown): value is NonNullable<ForkEvent["forked"]> {
  const { seat, pid } = Object(value) as Record<string, unknown>;
  return Number.isInteger(seat) && Number.isInteger(pid);
}

function isEnded(value: unknown): value is NonNullable<ForkEvent["ended"]> {
  const { seat, signal, exitCode } = Object(value) as Record<string, unknown>;
  return Number.isInteger(seat) && (typeof signal === "string" || Number.isInteger(exitCode));
}

function isReport(value: unknown): value is ReadyReport {
  const { timings, requestsAtOnce } = Object(value) as Record<string, unknown>;
  const isCount = typeof requestsAtOnce === "number" && Number.isInteger(requestsAtOnce) && requestsAtOnce > 0;
  return typeof timings === "object" && timings !== null && (requestsAtOnce === undefined || isCount);
}

function startOrder(config: ScorerSettings, runtime: PythonRuntimeConfig, seats: readonly unknown[] | undefined) {
  return {
    appRoot: runtime.appRoot,
    entryScript: runtime.entryScript,
    threads: config.threads,
    startTimeoutMs: config.startTimeoutMs,
    scoringTimeoutMs: config.scoringTimeoutMs,
    legacyStatusCodes: config.legacyStatusCodes,
    ...(seats !== undefined && { seats }),
  };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
