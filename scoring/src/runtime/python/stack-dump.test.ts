import { expect, it } from "vitest";
import { StackDump } from "./stack-dump.ts";

const DUMP = `unrelated
Timeout (0:00:01)!
Thread 0x00007f0c5b7fe6c0 (most recent call first):
  File "/opt/python/threading.py", line 300 in wait
a line of the script's own
Thread 0x00007f0c5c1c5740 (most recent call first):
  File "/opt/env/site-packages/library/core.py", line 17 in read
  File "/app/loader.py", line 9 in load
  File "/app/score.py", line 5 in init
  File "/opt/slipway/slipway_worker/worker.py", line 120 in _init_script`;

function dumpOf(text: string): StackDump {
  const dump = new StackDump();
  for (const line of text.split("\n")) dump.take(line);
  return dump;
}

it("finds the innermost frame of the user's files in the thread that starts the script", () => {
  const dump = dumpOf(DUMP);
  expect(dump.place("/app")).toEqual({ file: "loader.py", line: 9, name: "load" });
  expect(dump.text).not.toContain("own");
  expect(dump.size).toBe(8);
});

it("falls back to the innermost frame of all, and to nothing", () => {
  expect(dumpOf(DUMP).place("/elsewhere")).toEqual({
    file: "/opt/env/site-packages/library/core.py",
    line: 17,
    name: "read",
  });
  expect(dumpOf('  File "/app/score.py", line 5 in init').place("/app")).toBeUndefined();
});
