import type { ImageComparison } from "@slipway/client";
import { expect, test } from "vitest";
import { describeComparison, describePatches } from "./show-comparison.ts";

const comparison = (change: Partial<ImageComparison> = {}): ImageComparison => ({
  from: { imageId: "digits:1", digest: "sha256:1", sizeBytes: 2048 },
  to: { imageId: "digits:2", digest: "sha256:2", sizeBytes: 3072 },
  ...{
    sharedBytes: 1024,
    packages: [],
    basePackages: [],
    models: [],
    code: [],
    environmentVariables: [],
    settings: [],
  },
  ...change,
});

test("added, removed and changed are told apart, and empty sections left out", () => {
  const packages = [
    { name: "joblib", from: null, to: "1.6.0" },
    { name: "numpy", from: "2.4.5", to: "2.4.6" },
    { name: "six", from: "1.17.0", to: null },
  ];
  const code = [{ name: "score.py", from: "sha256:a", to: "sha256:b" }];
  expect(describeComparison(comparison({ packages, code }))).toBe(
    [
      "digits:1 → digits:2: 2.0 KiB → 3.0 KiB, 1.0 KiB in layers of both",
      "",
      "Packages",
      "+ joblib  1.6.0",
      "~ numpy   2.4.5 → 2.4.6",
      "- six     1.17.0",
      "",
      "Code",
      "~ score.py",
    ].join("\n"),
  );
});

test("images with other layers but the same contents, and the same image twice, are told apart", () => {
  expect(describeComparison(comparison())).toContain("Packages, models, code and settings are the same.");
  const { from } = comparison();
  expect(describeComparison(comparison({ to: { ...from, imageId: "digits:2" } }))).toBe(
    "digits:1 and digits:2 are the same image, byte by byte.",
  );
});

test("nothing that somebody uploaded reaches the terminal as a command", () => {
  const variables = [{ name: "A\u001b[2J", from: "x", to: "\u0007" }];
  const text = describeComparison(comparison({ environmentVariables: variables }));
  const patches = describePatches([
    { path: "a\u001b.py", patch: null },
    { path: "b.py", patch: "--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-a\n+\u001b]0;title\u0007\n" },
  ]);
  expect(`${text}${patches.join("")}`).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
  expect(patches[1]).toContain("+\\x1b]0;title\\x07");
});
