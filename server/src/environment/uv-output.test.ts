import { describe, expect, it } from "vitest";
import { explainFailure, progressLine } from "./uv-output.ts";

describe("progressLine", () => {
  it.each([
    ["Downloading scikit-learn (8.9MiB)", "Downloading scikit-learn (8.9 MB)"],
    ["   Building docopt==0.6.2", "Building docopt 0.6.2 from source"],
    [" + numpy==2.4.6", "Installed numpy 2.4.6"],
    [" Downloaded numpy", undefined],
    ["    --hash=sha256:49b3a825", undefined],
  ])("makes of %j %j", (line, text) => {
    expect(progressLine(line)).toBe(text);
  });
});

describe("explainFailure", () => {
  it("gives the reason of a conflict without marks and hints", () => {
    const output = [
      "error: No solution found when resolving dependencies",
      "  cause: Because scipy==1.7.0 depends on numpy<1.23.0 and you require numpy==2.2, we can conclude that",
      "         your requirements are unsatisfiable.",
      "",
      "hint: use --prerelease",
    ];
    expect(explainFailure(output)).toEqual({
      kind: "unsolvable",
      explanation:
        "Because scipy==1.7.0 depends on numpy<1.23.0 and you require numpy==2.2, we can conclude that your requirements are unsatisfiable.",
    });
  });

  it("tells an unreachable index from a conflict, without credentials", () => {
    const failure = explainFailure([
      "error: Failed to fetch: https://me:secret@index.example.test/simple/numpy/",
      "  cause: error sending request for url",
      "  cause: dns error",
    ]);
    expect(failure.kind).toBe("unreachable");
    expect(JSON.stringify(failure)).not.toContain("secret");
  });

  it("names what has no wheel", () => {
    const output = [
      "error: No solution found when resolving dependencies",
      "hint: Wheels are required for `docopt` because building from source is disabled for all packages (i.e., with `--no-build`)",
    ];
    expect(explainFailure(output)).toEqual({ kind: "sourceOnly", name: "docopt" });
  });

  it("finds the error in a build's output", () => {
    const output = [
      "error: Failed to build `old==0.1`",
      "  cause: The build backend returned an error",
      "         [stderr]",
      "         Traceback (most recent call last):",
      "         ModuleNotFoundError: No module named 'pkg_resources'",
      "hint: consider something",
    ];
    expect(explainFailure(output)).toEqual({
      kind: "build",
      name: "old 0.1",
      explanation: "ModuleNotFoundError: No module named 'pkg_resources'.",
    });
  });

  it("passes on what it does not know", () => {
    expect(explainFailure(["error: Something new"])).toEqual({ kind: "other", explanation: "Something new." });
    expect(explainFailure([]).kind).toBe("other");
  });
});
