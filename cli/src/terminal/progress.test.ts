import { expect, test } from "vitest";
import { createProgress } from "./progress.ts";

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 80, write: (text: string) => written.push(text), text: () => written.join("") };
}

test("a pipe gets plain lines with times", async () => {
  const stream = recorder(false);
  const result = await createProgress(stream, false).step("Build image a", async (step) => {
    step.log("Resolving\u001b[2J");
    step.now("hidden");
    return 7;
  });
  expect(result).toBe(7);
  expect(stream.text()).toMatch(
    /^Build image a \.\.\.\n {2}\[\d+ ms\] Resolving\\x1b\[2J\nBuild image a: done in \d+ ms\n$/,
  );
});

test("a failure is said and passed on", async () => {
  const stream = recorder(false);
  const failing = createProgress(stream, false).step("Deploy", () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(stream.text()).toMatch(/Deploy: failed after \d+ ms\n$/);
});

test("a terminal's line is drawn in place and stays within the width", async () => {
  const stream = recorder(true);
  await createProgress(stream, false).step("Build", async (step) => {
    step.now("x".repeat(500));
    step.log("one");
  });
  const lines = stream.text().split(/\r\u001b\[2K|\n/);
  expect(lines.every((line) => line.length < 80 + 40)).toBe(true);
  expect(stream.text()).toContain("✓");
  expect(stream.text()).toContain("one");
});

test("a silent one writes nothing", async () => {
  const stream = recorder(true);
  await createProgress(stream, true).step("Build", async (step) => step.log("one"));
  expect(stream.text()).toBe("");
});
