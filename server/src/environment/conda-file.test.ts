import { describe, expect, it } from "vitest";
import { parseCondaFile } from "./conda-file.ts";

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "CondaFileInvalid", kind: "invalid", message: expect.stringMatching(message) });

describe("parseCondaFile", () => {
  it("reads what the old client writes", () => {
    const file = parseCondaFile(`
# Conda environment specification. The dependencies defined in this file will
name: project_environment
dependencies:
  # The python interpreter version.
- python=3.6.2
- pip:
  - azureml-defaults
  - --extra-index-url https://packages.example.test/simple
- scikit-learn
channels:
- anaconda
- conda-forge
`);
    expect(file.name).toBe("project_environment");
    expect(file.channels).toEqual(["anaconda", "conda-forge"]);
    expect(file.dependencies.map(({ name }) => name)).toEqual(["python", "scikit-learn"]);
    expect(file.pipLines).toEqual(["azureml-defaults", "--extra-index-url https://packages.example.test/simple"]);
  });

  it.each(["", "# nothing", "name: x", "dependencies:", "dependencies: []"])(
    "takes %j as an empty environment",
    (text) => {
      expect(parseCondaFile(text)).toMatchObject({ dependencies: [], pipLines: [] });
    },
  );

  it.each([
    ["dependencies: [numpy", /not YAML/],
    ["a: b: c", /not YAML/],
    ["- numpy", /must be a mapping/],
    ["numpy", /must be a mapping/],
    ["dependencies: numpy", /must be a list/],
    ["dependencies: [1.5]", /each entry/],
    ["dependencies: [[numpy]]", /each entry/],
    ["dependencies: [{npm: [x]}]", /each entry/],
    ["dependencies: [{pip: numpy}]", /"pip:" must be a list/],
    ["dependencies: [{pip: [{numpy: 1}]}]", /must hold texts/],
    ["dependencies: [numpy=abc]", /"numpy=abc"/],
    ["? [a, b]\n: c", /not YAML/],
  ])("refuses %j", (text, message) => {
    expect(() => parseCondaFile(text)).toThrow(invalid(message));
  });

  it("refuses an alias bomb at once", () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `l${level + 1}: &l${level + 1} [*l${level}, *l${level}, *l${level}]`,
    );
    expect(() => parseCondaFile(["l0: &l0 [x]", ...levels, "dependencies: *l30"].join("\n"))).toThrow(invalid(/alias/));
  });

  it("refuses a long list of one alias", () => {
    expect(() => parseCondaFile(`a: &a numpy\ndependencies: [${"*a, ".repeat(100)}]`)).toThrow(invalid(/alias/));
  });

  it("refuses a file that is too large or too long", () => {
    expect(() => parseCondaFile(`# ${"x".repeat(1024 * 1024)}`)).toThrow(invalid(/larger than 1 MiB/));
    expect(() => parseCondaFile(`dependencies: [${"a, ".repeat(2001)}]`)).toThrow(invalid(/more than 2000/));
  });

  it("does not let a key reach the prototype of objects", () => {
    expect(parseCondaFile("__proto__: {dependencies: [numpy]}").dependencies).toEqual([]);
  });

  it("makes nothing of YAML tags", () => {
    expect(() => parseCondaFile("dependencies: [!!python/object/apply:os.system ['true']]")).toThrow(
      invalid(/each entry/),
    );
  });
});
