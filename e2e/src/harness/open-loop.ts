export interface OpenLoopResult {
  readonly sent: number;
  /** why requests failed, in words */
  readonly failures: readonly string[];
  /** of the requests that did not fail, each from the moment when it was due: a late start counts as waiting (no coordinated omission) */
  readonly latenciesMs: readonly number[];
}

/** Requests leave at a fixed rate whether or not earlier ones were answered, until `stop`. A rejected `send` is a failed request. */
export function openLoop(send: () => Promise<void>, perSecond: number): { stop(): Promise<OpenLoopResult> } {
  const failures: string[] = [];
  const latenciesMs: number[] = [];
  const open = new Set<Promise<void>>();
  const begin = performance.now();
  let sent = 0;

  async function one(dueAt: number): Promise<void> {
    try {
      await send();
      latenciesMs.push(performance.now() - dueAt);
    } catch (error) {
      failures.push(String((error as Error).cause ?? error));
    }
  }

  const timer = setInterval(() => {
    for (;;) {
      const dueAt = begin + (sent * 1000) / perSecond;
      if (dueAt > performance.now()) return;
      sent += 1;
      const request = one(dueAt);
      open.add(request);
      void request.finally(() => open.delete(request));
    }
  }, 1);

  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { sent, failures, latenciesMs };
    },
  };
}
