import { descendantWithPid, proportionalBytes } from "../process-memory.ts";
import { killGroup, type ProcessEnd, type Seat, type WorkerProcess } from "./worker-process.ts";

/** A process that has imported the script and makes workers by forking itself (python/slipway_worker/template.py). */
export interface WorkerTemplate {
  /** @returns undefined when it has no seat left */
  fork(): WorkerProcess | undefined;
  /** What the template tells of its forks. */
  take(event: ForkEvent): void;
  /** It is gone: so are, or will be, its workers. */
  ended(): void;
}

/** `pid` as the template sees it, which may be in a sandbox with numbers of its own. */
export interface ForkEvent {
  readonly forked?: { readonly seat: number; readonly pid: number };
  readonly ended?: { readonly seat: number; readonly exitCode?: number; readonly signal?: string };
}

export type ForkOrder = { readonly fork: number } | { readonly kill: number };

interface Fork {
  pid: number;
  over: boolean;
  end(end: ProcessEnd): void;
}

export function workerTemplate(
  template: Pick<WorkerProcess, "pid">,
  seats: readonly Seat[],
  order: (order: ForkOrder) => void,
): WorkerTemplate {
  const forks = new Map<number, Fork>();
  let next = 0;

  const finish = (fork: Fork, how: ProcessEnd) => {
    if (fork.over) return;
    fork.over = true;
    fork.end(how);
  };
  const living = () => [...forks.values()].filter(({ over }) => !over).length;

  return {
    fork() {
      const number = next;
      const seat = seats[number];
      if (seat === undefined) return undefined;
      next += 1;
      const listeners: ((end: ProcessEnd) => void)[] = [];
      const fork: Fork = {
        pid: 0,
        over: false,
        end: (how) => {
          for (const listener of listeners) listener(how);
        },
      };
      forks.set(number, fork);
      order({ fork: number });
      return {
        get pid() {
          return fork.pid;
        },
        socket: seat.socket,
        stdout: seat.stdout,
        stderr: seat.stderr,
        // Pages that it shares with the others count for each of them in part; the template's own for all alike.
        memoryBytes: () =>
          fork.over || fork.pid === 0
            ? 0
            : proportionalBytes(fork.pid) + Math.round(proportionalBytes(template.pid) / living()),
        kill() {
          if (!fork.over) order({ kill: number });
        },
        onEnd: (listener) => listeners.push(listener),
      };
    },

    take({ forked, ended }) {
      if (forked !== undefined) {
        const fork = forks.get(forked.seat);
        if (fork !== undefined) fork.pid = descendantWithPid(template.pid, forked.pid) ?? 0;
      }
      if (ended !== undefined) {
        const fork = forks.get(ended.seat);
        if (fork !== undefined) finish(fork, { exitCode: ended.exitCode ?? null, signal: ended.signal ?? null });
      }
    },

    ended() {
      for (const fork of forks.values()) {
        if (fork.over) continue;
        if (fork.pid !== 0) killGroup(fork.pid);
        finish(fork, { exitCode: null, signal: "SIGKILL" });
      }
      for (const seat of seats.slice(next)) for (const pipe of [seat.socket, seat.stdout, seat.stderr]) pipe.destroy();
    },
  };
}
