import { describe, expect, it } from "vitest";
import { choosePython, type Interpreter, type PythonWish } from "./python-choice.ts";
import { parseCondaVersion } from "./version-clauses.ts";

const interpreter = (version: string, shared = true, path = `/opt/${version}/bin/python`): Interpreter => ({
  path,
  prefix: `/opt/${version}`,
  version,
  platform: "linux-x86_64",
  shared,
});
const wish = (text: string): PythonWish => ({ text, clauses: parseCondaVersion(text) ?? [] });
const found = ["3.11.7", "3.8.18", "3.12.1", "3.13.0"].map((version) => interpreter(version));

describe("choosePython", () => {
  it.each([
    ["=3.12", "3.12.1", true],
    ["=3.8.2", "3.8.18", true],
    ["==3.13.5", "3.13.0", true],
    [">=3.9", "3.11.7", true],
    [">=3.12", "3.12.1", true],
    ["<3.9", "3.8.18", true],
    [">=3.8,<3.12", "3.11.7", true],
    ["=3", "3.11.7", true],
    ["!=3.11", "3.8.18", true],
    ["=3.6.2", "3.8.18", false],
    ["=3.9", "3.11.7", false],
    ["=3.10", "3.11.7", false],
    ["=3.14", "3.13.0", false],
    ["=2.7", "3.8.18", false],
    [">=3.20", "3.13.0", false],
  ])("for %s takes %s", (text, version, exact) => {
    const choice = choosePython(found, wish(text));
    expect([choice?.interpreter.version, choice?.exact]).toEqual([version, exact]);
  });

  it("takes the machine's own python3 when nothing is asked for", () => {
    expect(choosePython(found, undefined)).toEqual({ interpreter: found[0], exact: true });
  });

  it("prefers one of the same minor version that every user may run", () => {
    const candidates = [interpreter("3.11.7", false), interpreter("3.12.1"), interpreter("3.11.2")];
    expect(choosePython(candidates, wish("=3.11"))?.interpreter.version).toBe("3.11.2");
    expect(choosePython([interpreter("3.11.7", false)], wish("=3.11"))?.interpreter.version).toBe("3.11.7");
  });

  it("finds nothing where there is nothing", () => {
    expect(choosePython([], wish("=3.11"))).toBeUndefined();
  });
});
