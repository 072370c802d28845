import { expect, test } from "vitest";
import type { ReplicaObservation } from "../target.ts";
import { summarize } from "./summarize.ts";

type State = ReplicaObservation["state"];

test.each<[readonly State[], string]>([
  [["ready"], "ready"],
  [["ready", "ready"], "ready"],
  [["ready", "starting"], "degraded"],
  [["ready", "failed"], "degraded"],
  [["starting", "starting"], "starting"],
  [["starting", "failed"], "failed"],
  [["stopped"], "failed"],
])("%j together are %s", (states, expected) => {
  const replicas = states.map((state) => ({ id: state, state, restarts: 0, memoryBytes: 0, timings: {} }));
  expect(summarize(replicas).state).toBe(expected);
});

test("the cause is that of a replica that is not ready; a ready one's past is no cause", () => {
  const past = { code: "OutOfMemory", message: "then" };
  const now = { code: "InitFailed", message: "now" };
  const common = { id: "", restarts: 0, memoryBytes: 0, timings: {} };
  const ready = { ...common, state: "ready", cause: past } as const;
  expect(summarize([ready]).cause).toBeUndefined();
  expect(summarize([ready, { ...common, state: "failed", cause: now }]).cause).toBe(now);
});
