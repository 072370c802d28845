import type { Fetch } from "@slipway/client";

export interface LoadResult {
  readonly sent: number;
  /** anything but 200, in words */
  readonly failures: readonly string[];
  /** how many answers came from each version */
  readonly versions: ReadonlyMap<number, number>;
}

/** Open loop: requests leave at a fixed rate whether or not earlier ones were answered, until `stop`. */
export function steadyLoad(fetch: Fetch, url: string, perSecond: number): { stop(): Promise<LoadResult> } {
  const failures: string[] = [];
  const versions = new Map<number, number>();
  const open = new Set<Promise<void>>();
  const begin = performance.now();
  let sent = 0;

  async function one(): Promise<void> {
    try {
      const response = await fetch(url, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      const text = await response.text();
      if (response.status !== 200) failures.push(`${response.status} ${text.slice(0, 200)}`);
      else {
        const { version } = JSON.parse(text) as { version: number };
        versions.set(version, (versions.get(version) ?? 0) + 1);
      }
    } catch (error) {
      failures.push(String((error as Error).cause ?? error));
    }
  }

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begin) / 1000) * perSecond);
    for (; sent < due; sent += 1) {
      const request = one();
      open.add(request);
      void request.finally(() => open.delete(request));
    }
  }, 5);

  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { sent, failures, versions };
    },
  };
}
