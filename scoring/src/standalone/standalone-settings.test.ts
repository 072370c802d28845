import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readImageDescription, standaloneSettings } from "./standalone-settings.ts";

const description = { name: "digits", runtime: { kind: "python", entryScript: "score.py" } } as const;

it("has a worker for each processor of the container's limit, and one without a limit", () => {
  const workers = (quota: number | undefined, env = {}) => standaloneSettings(description, env, quota).workers;
  expect([workers(undefined), workers(0.5), workers(2), workers(2.5), workers(2, { SLIPWAY_WORKERS: "7" })]).toEqual([
    ...[1, 1, 2, 3, 7],
  ]);
});

it("shares the processors among the workers", () => {
  const threads = (quota: number, workers: string) =>
    standaloneSettings(description, { SLIPWAY_WORKERS: workers }, quota).threads;
  expect([threads(4, "1"), threads(4, "2"), threads(1, "4")]).toEqual([4, 2, 1]);
});

it("gives workers the container's variables without the keys", () => {
  const env = { WORD: "hello", SLIPWAY_KEYS: "secret", SLIPWAY_PORT: "80" };
  const { runtime, httpPort } = standaloneSettings(description, env);
  expect(httpPort).toBe(80);
  expect(runtime).toMatchObject({ env: { WORD: "hello" } });
  expect(JSON.stringify(runtime)).not.toContain("secret");
});

it.each([
  ["SLIPWAY_PORT", "http"],
  ["SLIPWAY_PORT", "65536"],
  ["SLIPWAY_WORKERS", "0"],
  ["SLIPWAY_WORKERS", "1.5"],
  ["SLIPWAY_SCORING_TIMEOUT_MS", "-1"],
])("refuses %s=%s, naming it", (name, value) => {
  expect(() => standaloneSettings(description, { [name]: value })).toThrow(new RegExp(`${name} is "${value}"`));
});

it.each([
  ["", "JSON"],
  ['{"name":"x"}', "runtime"],
  ['{"name":"x","runtime":{"kind":"onnx","models":[]}}', "models"],
])("refuses a description of %j", (text, problem) => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-description-"));
  writeFileSync(join(folder, "image.json"), text);
  expect(() => readImageDescription(join(folder, "image.json"))).toThrow(problem);
  rmSync(folder, { recursive: true });
});
