/**
 * Runs work one after the other for each key; other keys do not wait. Who waits may leave by the signal, and passes nobody by it.
 *
 * @throws the signal's reason, without having begun
 */
export type KeyedLock = <Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal) => Promise<Result>;

export function createKeyedLock(): KeyedLock {
  /** by key, what ends when all that runs or waits has ended */
  const queues = new Map<string, Promise<void>>();
  return async (key, work, signal) => {
    const before = queues.get(key) ?? Promise.resolve();
    const { promise: own, resolve: leave } = Promise.withResolvers<void>();
    const queue = before.then(() => own);
    queues.set(key, queue);
    void queue.then(() => {
      if (queues.get(key) === queue) queues.delete(key);
    });
    try {
      await (signal === undefined ? before : unlessAborted(before, signal));
      return await work();
    } finally {
      leave();
    }
  };
}

async function unlessAborted(waiting: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    await Promise.race([waiting, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
