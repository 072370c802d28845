/**
 * Does something with each item, so many at once. After the first failure nothing new is begun, what runs is told to stop, and the
 * failure is thrown when all have ended: nothing goes on behind the caller's back.
 */
export async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const next = async (): Promise<void> => {
    try {
      for (let item = left.shift(); item !== undefined; item = left.shift()) {
        either.throwIfAborted();
        await work(item, either);
      }
    } catch (error) {
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  // The first reason stays.
  stop.signal.throwIfAborted();
}
