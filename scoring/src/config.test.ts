import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cause, ScorerConfig, shapeProblems } from "@slipway/api";
import { afterAll, describe, expect, it } from "vitest";
import { isCause } from "./cause-shape.ts";
import { readScorerConfig } from "./config.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const common: Omit<ScorerConfig, "runtime"> = {
  replicaId: "a-0",
  nonce: "n",
  service: "digits",
  revision: 1,
  pathPrefix: "/api/v1/service/digits",
  runFolder: folder,
  httpSocket: "/http.sock",
  framesSocket: "/frames.sock",
  httpPort: 5001,
  workers: 2,
  threads: 1,
  memoryLimitBytes: 1,
  memoryGuard: "container",
  cgroup: "/sys/fs/cgroup/x",
  startTimeoutMs: 0,
  scoringTimeoutMs: 0,
  maxBodyBytes: 1,
  legacyStatusCodes: false,
};
const configs: readonly ScorerConfig[] = [
  {
    ...common,
    runtime: { kind: "python", command: ["python"], env: { A: "1" }, appRoot: "/app", entryScript: "score.py" },
  },
  { ...common, runtime: { kind: "onnx", models: [{ name: "m", file: "/m.onnx" }] } },
];
const cause: Required<Cause> = {
  ...{ code: "InitFailed", message: "m", nextAction: "n", file: "score.py", line: 1 },
  ...{ traceback: "t", exitCode: 1, signal: "SIGKILL" },
};

/** The value with each of its parts, at any depth, left out or replaced by something else. */
function* broken(value: unknown): Generator<unknown> {
  yield* [undefined, null, -1, 0, 1.5, "", "x", true, [], [1], {}, { x: 1 }];
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    for (const other of broken(part)) {
      const copy = structuredClone(value);
      Reflect.set(copy, name, other);
      yield copy;
    }
  }
}

function isTaken(config: unknown): boolean {
  writeFileSync(join(folder, "scorer.json"), JSON.stringify(config ?? null));
  try {
    readScorerConfig(folder);
    return true;
  } catch {
    return false;
  }
}

describe("what a scorer checks without a schema library is what the schemas say", () => {
  it.each(configs)("of a configuration for $runtime.kind", (config) => {
    expect(isTaken(config)).toBe(true);
    for (const value of broken(config)) {
      const text = JSON.stringify(value ?? null);
      expect(isTaken(value), text).toBe(shapeProblems(ScorerConfig, JSON.parse(text)).length === 0);
    }
  });

  it("of a cause", () => {
    expect(isCause(cause)).toBe(true);
    for (const value of broken(cause)) {
      const text = JSON.stringify(value ?? null);
      expect(isCause(JSON.parse(text)), text).toBe(shapeProblems(Cause, JSON.parse(text)).length === 0);
    }
  });
});

it("names every field that is wrong", () => {
  const wrong = { ...configs[1], workers: 0, runtime: { kind: "onnx", models: [{ name: "m" }] } };
  writeFileSync(join(folder, "scorer.json"), JSON.stringify(wrong));
  expect(() => readScorerConfig(folder)).toThrow(
    /\/runtime\/models\/0\/file must be a text; \/workers must be a whole number from 1/,
  );
});
