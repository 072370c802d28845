/** Watches one operation. Dispose it, or it stays registered. */
export interface NewsWatch extends Disposable {
  /** Resolves when there was news since the last call (also news that came in between), after `maxMs`, or when `signal` aborts. */
  next(maxMs: number, signal?: AbortSignal): Promise<void>;
}

/** Who waits for an operation is told of each log line, step and end inside this process; nothing is stored. */
export interface OperationNews {
  tell(operationId: string): void;
  tellAll(): void;
  watch(operationId: string): NewsWatch;
}

export function createOperationNews(): OperationNews {
  const watches = new Map<string, Set<() => void>>();

  function tell(operationId: string): void {
    for (const notify of [...(watches.get(operationId) ?? [])]) notify();
  }

  return {
    tell,
    tellAll() {
      for (const operationId of [...watches.keys()]) tell(operationId);
    },
    watch(operationId) {
      let missed = false;
      let wake: (() => void) | undefined;
      const notify = () => {
        missed = true;
        wake?.();
      };
      const set = watches.get(operationId) ?? new Set();
      watches.set(operationId, set.add(notify));
      return {
        async next(maxMs, signal) {
          if (!missed && !signal?.aborted) await until(maxMs, signal, (resolve) => (wake = resolve));
          wake = undefined;
          missed = false;
        },
        [Symbol.dispose]() {
          set.delete(notify);
          if (set.size === 0 && watches.get(operationId) === set) watches.delete(operationId);
        },
      };
    },
  };
}

function until(maxMs: number, signal: AbortSignal | undefined, register: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, maxMs);
    signal?.addEventListener("abort", done, { once: true });
    register(done);
  });
}
