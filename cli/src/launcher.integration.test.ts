import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));
const bundled = join("node_modules", ".bin");

/** A Node of the machine that is older than the one we need, as users of long-lived distributions have it. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.endsWith(bundled))
  .map((folder) => join(folder, "node"))
  .find((file) => existsSync(file) && major(file) >= 18 && major(file) < 24);

const why = oldNode === undefined ? " (skipped: there is no older Node on this machine)" : "";

function major(node: string): number {
  return Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? 0);
}

test("this Node runs the program itself, without a word on standard error", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, "--help"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("Usage: slipway");
});

test.skipIf(oldNode === undefined)(`an older Node hands over to the bundled one${why}`, () => {
  const { status, stdout, stderr } = spawnSync(oldNode ?? "", [launcher, "--help"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("Usage: slipway");
});

test.skipIf(oldNode === undefined)(`exit codes pass through it${why}`, () => {
  const { status, stderr } = spawnSync(oldNode ?? "", [launcher, "bogus"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain("unknown command");
});
