/**
 * Lets work under the same key be done one after the other. Who waits may leave: the others' turns stay as they are.
 *
 * @throws the signal's reason, without having begun
 */
export type InTurn = <T>(key: string, signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;

export function createTurns(): InTurn {
  /** what ends when everything that was begun or waits under the key has ended */
  const queues = new Map<string, Promise<void>>();
  return async (key, signal, work) => {
    const before = queues.get(key) ?? Promise.resolve();
    const { promise: own, resolve: leave } = Promise.withResolvers<void>();
    const queue = before.then(() => own);
    queues.set(key, queue);
    void queue.then(() => {
      if (queues.get(key) === queue) queues.delete(key);
    });
    try {
      await unlessAborted(before, signal);
      return await work();
    } finally {
      leave();
    }
  };
}

async function unlessAborted(waiting: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal?.reason);
  signal?.addEventListener("abort", leave, { once: true });
  try {
    await Promise.race([waiting, aborted]);
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}
