import type { ChildProcess, SendHandle } from "node:child_process";
import { once } from "node:events";

/** The first restart is at once: people wait. More would burn the processor on a child that dies at once. */
const FIRST_PAUSE_MS = 0;
const SECOND_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** At work for so long, its next death counts as the first again. */
const STEADY_MS = 1_000;

export interface SupervisedChild {
  /** Asks it to stop, waits, kills it when the time is over. It is not started again. */
  stop(message: unknown, patienceMs: number): Promise<void>;
  /** Stops it and lets it be started again at once. */
  restart(patienceMs: number): Promise<void>;
}

/** Keeps one process running: whenever it ends, it is started again after a growing pause. */
export function superviseChild(spec: {
  start(): ChildProcess;
  /** @returns true when the message says that it is at work */
  onMessage(message: unknown, handle: SendHandle | undefined): boolean;
  /** @returns false to give up on it */
  onExit(code: number | null, signal: NodeJS.Signals | null): boolean;
}): SupervisedChild {
  let child: ChildProcess | undefined;
  let stopped = false;
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    let atWorkSince = Number.POSITIVE_INFINITY;
    const running = spec.start();
    child = running;
    running.on("message", (message, handle) => {
      if (spec.onMessage(message, handle)) atWorkSince = performance.now();
    });
    running.on("error", () => {
      // A failed send to a child that is just ending; its exit is handled below.
    });
    const ended = (code: number | null, signal: NodeJS.Signals | null) => {
      child = undefined;
      if (stopped || !spec.onExit(code, signal)) return;
      if (performance.now() - atWorkSince > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
      timer = setTimeout(start, pauseMs);
      pauseMs = Math.min(Math.max(pauseMs * 2, SECOND_PAUSE_MS), LONGEST_PAUSE_MS);
    };
    running.on("exit", (code, signal) => {
      // What it said last may come after its end, and the next one may depend on it.
      if (running.connected) running.once("disconnect", () => ended(code, signal));
      else ended(code, signal);
    });
  }

  async function end(message: unknown, patienceMs: number): Promise<void> {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, "exit");
    const impatience = setTimeout(() => running.kill("SIGKILL"), patienceMs);
    if (message !== undefined && running.connected) running.send(message as object, () => {});
    else running.kill("SIGTERM");
    await exited;
    clearTimeout(impatience);
  }

  start();
  return {
    async stop(message, patienceMs) {
      stopped = true;
      clearTimeout(timer);
      await end(message, patienceMs);
    },
    async restart(patienceMs) {
      pauseMs = 0;
      await end(undefined, patienceMs);
      pauseMs = FIRST_PAUSE_MS;
    },
  };
}
