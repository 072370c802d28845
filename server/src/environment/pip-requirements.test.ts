import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../platform/errors.ts";
import { parsePipRequirements } from "./pip-requirements.ts";

describe("parsePipRequirements", () => {
  it.each([
    ["numpy", "numpy"],
    ["numpy==1.26.4", "numpy==1.26.4"],
    [" numpy >= 1.20 , < 2  # why", "numpy>=1.20,<2"],
    ["numpy (>=1.20)", "numpy>=1.20"],
    ["requests[socks,security]>=2", "requests[socks,security]>=2"],
    [
      "scipy==1.10 ; python_version < \"3.9\" and sys_platform == 'linux'",
      "scipy==1.10 ; python_version < \"3.9\" and sys_platform == 'linux'",
    ],
    [
      "six @ https://files.example.test/six-1.17.0-py2.py3-none-any.whl",
      "six @ https://files.example.test/six-1.17.0-py2.py3-none-any.whl",
    ],
    [
      "https://files.example.test/six-1.17.0-py2.py3-none-any.whl?sig=x",
      "https://files.example.test/six-1.17.0-py2.py3-none-any.whl?sig=x",
    ],
    ["torch==2.1.0+cpu", "torch==2.1.0+cpu"],
  ])("reads %s", (line, requirement) => {
    expect(parsePipRequirements([line]).requirements).toEqual([requirement]);
  });

  it("passes index options on and joins continued lines", () => {
    const parsed = parsePipRequirements([
      "--extra-index-url https://one.example.test/simple",
      "--find-links=https://two.example.test/wheels",
      "-i https://three.example.test/simple",
      "--pre",
      "numpy \\\n  ==1.26",
    ]);
    expect(parsed.options).toEqual([
      ...["--index", "https://one.example.test/simple"],
      ...["--find-links", "https://two.example.test/wheels"],
      ...["--default-index", "https://three.example.test/simple", "--prerelease", "allow"],
    ]);
    expect(parsed.requirements).toEqual(["numpy==1.26"]);
  });

  it("leaves out what the client adds by itself, and says so", () => {
    const parsed = parsePipRequirements(["azureml-model-management-sdk==1.0.1b6.post1", "numpy"]);
    expect(parsed.requirements).toEqual(["numpy"]);
    expect(parsed.notes).toEqual([expect.stringContaining("azureml-model-management-sdk==1.0.1b6.post1")]);
  });

  it.each([
    ["-e .", /editable/],
    ["--editable=./x", /editable/],
    ["-r other.txt", /not read/],
    ["-c constraints.txt", /not read/],
    ["./package", /does not begin with the name/],
    ["/etc/passwd", /does not begin with the name/],
    ["file:///etc/passwd", /files/],
    ["numpy @ file:///tmp/numpy.whl", /http and https/],
    ["git+https://code.example.test/x.git", /version control/],
    ["x @ git+ssh://code.example.test/x.git", /version control/],
    ["--find-links /etc", /folders of the server/],
    ["--extra-index-url file:///etc", /folders of the server/],
    ["--extra-index-url https://one.example.test numpy", /not supported|needs one/],
    ["--config-settings x", /not supported/],
    ["numpy==1.0 --global-option=x", /version cannot be read/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the resolver would expand it
    ["https://evil.example.test/${HOME}/x.whl", /variables/],
    ["numpy==1 ; python_version < $(x)", /marker/],
    ["https://evil.example.test/page", /wheel or a source archive/],
    [`numpy==${"1".repeat(3000)}`, /too long/],
  ])("refuses %s", (line, message) => {
    expect(() => parsePipRequirements([line])).toThrow(
      expect.objectContaining({ code: "RequirementInvalid", message: expect.stringMatching(message) }),
    );
  });

  it("never lets a line become an option, a second line or a path", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 80 }),
        fc.constantFrom("", "x==1", "x;", "x @ https://h.test/"),
        (text, start) => {
          try {
            for (const line of parsePipRequirements([`${start}${text}`]).requirements) {
              expect(line).toMatch(/^([a-z0-9]|https?:\/\/)/i);
              expect(line).not.toMatch(/[\r\n\0]|\$\{|file:/i);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("answers quickly to a long hostile marker", () => {
    const begun = performance.now();
    expect(() => parsePipRequirements([`x ; ${"a".repeat(1900)}%`])).toThrow(AppError);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
