import type { Fetch } from "@slipway/client";
import { type OpenLoopResult, openLoop } from "./open-loop.ts";

export interface LoadResult extends OpenLoopResult {
  /** how many answers came from each version */
  readonly versions: ReadonlyMap<number, number>;
}

/** Open loop against a service that answers its version; anything but 200 is a failure. */
export function steadyLoad(fetch: Fetch, url: string, perSecond: number): { stop(): Promise<LoadResult> } {
  const versions = new Map<number, number>();
  const load = openLoop(async () => {
    const response = await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 200)}`);
    const { version } = JSON.parse(text) as { version: number };
    versions.set(version, (versions.get(version) ?? 0) + 1);
  }, perSecond);

  return { stop: async () => ({ ...(await load.stop()), versions }) };
}
