import type { RunContext } from "./uv.ts";

/**
 * Lets everybody who asks for the same thing at the same time share one piece of work. Who comes later is told what was said so far.
 * The work is stopped only when all who asked have gone away.
 */
export function createSharedWork<T>() {
  interface Job {
    readonly result: Promise<T>;
    readonly stop: AbortController;
    readonly said: string[];
    readonly listeners: Set<RunContext>;
  }
  const jobs = new Map<string, Job>();

  function start(key: string, work: (context: RunContext) => Promise<T>): Job {
    const stop = new AbortController();
    const said: string[] = [];
    const listeners = new Set<RunContext>();
    const say = (text: string) => {
      said.push(text);
      for (const listener of listeners) listener.say(text);
    };
    const result = work({ signal: stop.signal, say }).finally(() => {
      if (jobs.get(key)?.stop === stop) jobs.delete(key);
    });
    const job: Job = { result, stop, said, listeners };
    jobs.set(key, job);
    return job;
  }

  return async function share(key: string, context: RunContext, work: (context: RunContext) => Promise<T>): Promise<T> {
    context.signal.throwIfAborted();
    const job = jobs.get(key) ?? start(key, work);
    for (const text of job.said) context.say(text);
    job.listeners.add(context);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const leave = () => {
      job.listeners.delete(context);
      if (job.listeners.size === 0) {
        jobs.delete(key);
        job.stop.abort(context.signal.reason);
      }
      reject(context.signal.reason);
    };
    context.signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([job.result, aborted]);
    } finally {
      job.listeners.delete(context);
      context.signal.removeEventListener("abort", leave);
    }
  };
}
