import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../platform/errors.ts";
import { parseCondaSpec } from "./conda-spec.ts";
import { formatClauses } from "./version-clauses.ts";

describe("parseCondaSpec", () => {
  it.each([
    ["numpy", "numpy", ""],
    ["numpy=1.26", "numpy", "==1.26.*"],
    ["numpy==1.26.4", "numpy", "==1.26.4"],
    ["numpy 1.26.4", "numpy", "==1.26.4"],
    ["numpy 1.26.*", "numpy", "==1.26.*"],
    ["numpy=1.26*", "numpy", "==1.26.*"],
    ["numpy = 1.26", "numpy", "==1.26.*"],
    ["numpy>=1.20,<2", "numpy", ">=1.20,<2"],
    ["numpy >=1.20, <2", "numpy", ">=1.20,<2"],
    ["numpy!=1.24.0", "numpy", "!=1.24.0"],
    ["numpy~=1.24", "numpy", "~=1.24"],
    ["numpy=*", "numpy", ""],
    ["tensorflow=2.0.0b1", "tensorflow", "==2.0.0b1"],
    ["conda-forge::Scikit-Learn=0.22", "scikit-learn", "==0.22.*"],
    ["numpy[version='>=1.20,<2']", "numpy", ">=1.20,<2"],
  ])("reads %s", (text, name, version) => {
    const spec = parseCondaSpec(text);
    expect([spec.name, formatClauses(spec.clauses ?? [])]).toEqual([name, version]);
  });

  it("keeps channel and build string apart from the version", () => {
    expect(parseCondaSpec("defaults::numpy=1.16.2=py36_0")).toMatchObject({
      channel: "defaults",
      build: "py36_0",
      clauses: [{ operator: "==", version: "1.16.2.*" }],
    });
    expect(parseCondaSpec("numpy 1.16.2 py36_0").build).toBe("py36_0");
  });

  it.each(["numpy=<<1", "=1.2", "", "-r file", "../numpy", "numpy=1.2; rm", "numpy=1.2\n--index-url=x"])(
    "refuses %j and says which line it is",
    (text) => {
      expect(() => parseCondaSpec(text)).toThrow(expect.objectContaining({ code: "CondaFileInvalid" }));
    },
  );

  it("understands every version that it writes itself", () => {
    const version = fc.array(fc.nat(3000), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
    const operator = fc.constantFrom("==", "!=", ">=", "<=", ">", "<", "~=");
    const clause = fc.tuple(operator, version).map(([sign, number]) => `${sign}${number}`);
    fc.assert(
      fc.property(fc.array(clause, { minLength: 1, maxLength: 4 }), (clauses) => {
        expect(formatClauses(parseCondaSpec(`numpy${clauses.join(",")}`).clauses ?? [])).toBe(clauses.join(","));
      }),
    );
  });

  it("turns any text into a harmless requirement or a clear error", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.constantFrom("", "numpy", "numpy="),
        (text, start) => {
          try {
            const spec = parseCondaSpec(`${start}${text}`);
            expect(`${spec.name}${formatClauses(spec.clauses ?? [])}`).toMatch(
              /^[a-z0-9_][\w.-]*([=!<>~][\w.+*<>=!~,-]*)?$/,
            );
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
