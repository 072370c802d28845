import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** Bytes that survive the young collections of a program in which 16 requests at a time come and go. */
function surviving(kind: "IdMap" | "Map"): number {
  const program = `
    import { setImmediate as turn } from "node:timers/promises";
    import { getHeapStatistics } from "node:v8";
    import { IdMap } from "@slipway/api";
    const map = new ${kind}();
    // Idle for a while: what lives on is in the old generation then.
    let garbage = 0;
    for (let i = 0; i < 2e6; i += 1) garbage += new Array(20).fill(i).length;
    let most = 0;
    for (let id = 1; id < 200_000; id += 1) {
      map.set(id, new Array(100).fill(id));
      if (map.size > 16) map.delete(id - 16);
      if (id % 1000 === 0) { await turn(); most = Math.max(most, getHeapStatistics().used_heap_size); }
    }
    console.log(most);
  `;
  const options = ["--conditions=slipway-source", "--input-type=module", "--eval", program];
  return Number(execFileSync(process.execPath, options, { encoding: "utf8", cwd: import.meta.dirname }));
}

test("what an IdMap has given out does not survive young collections, as it does with a Map", () => {
  const [ours, theirs] = [surviving("IdMap"), surviving("Map")];
  expect(ours).toBeLessThan(theirs / 2);
});
