import type { Fetch } from "@slipway/client";
import { type OpenLoopResult, openLoop } from "./open-loop.ts";

export interface LoadResult extends OpenLoopResult {
  /** how many answers came from each version */
  readonly versions: ReadonlyMap<number, number>;
}

/**
 * Open loop against a service that answers its version; anything but 200 is a failure. Beside it one slow request (`slowSeconds`) after the other, so that at
 * almost every moment there is one in work that a careless switch would cut off.
 */
export function steadyLoad(
  fetch: Fetch,
  url: string,
  perSecond: number,
  slowSeconds?: number,
): { stop(): Promise<LoadResult> } {
  const versions = new Map<number, number>();
  async function ask(body: string): Promise<void> {
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 200)}`);
    const { version } = JSON.parse(text) as { version: number };
    versions.set(version, (versions.get(version) ?? 0) + 1);
  }
  const load = openLoop(() => ask("{}"), perSecond);
  const slowFailures: string[] = [];
  let stopped = false;
  const slow = (async () => {
    while (!stopped && slowSeconds !== undefined) {
      await ask(JSON.stringify({ seconds: slowSeconds })).catch((error) => slowFailures.push(String(error)));
    }
  })();

  return {
    async stop() {
      const result = await load.stop();
      stopped = true;
      await slow;
      return { ...result, failures: [...result.failures, ...slowFailures], versions };
    },
  };
}
