import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../platform/errors.ts";
import { parseDockerSteps } from "./docker-steps.ts";
import { applyDockerSteps, NO_BASE, stepVariables } from "./docker-steps-config.ts";
import { copiedFiles } from "./docker-steps-copy.ts";
import { splitChanges } from "./docker-steps-layers.ts";

const base = { ...NO_BASE, env: { PATH: "/usr/bin", LANG: "C.UTF-8" }, user: "1000", exposedPorts: ["80/tcp"] };
const run = (text: string) => applyDockerSteps(base, parseDockerSteps(text));
const copiesOf = (text: string) => run(text).changes.filter((change) => change.do === "copy");
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("Docker steps", () => {
  it("change what the base says", () => {
    const { config } = run(`
# syntax=docker/dockerfile:1
FROM registry.example.test/team/base:1 AS mine
ENV A=1 B="two words" C='$PATH' D=a\\ b
ENV PATH=/opt/tool/bin:$PATH E=\${A}x F=\${NONE:-other} G=\${A:+set} H=\${NONE:+set}
ENV OLD the "whole" rest
LABEL maintainer="Ada <ada@example.test>" "with space"=x
WORKDIR /srv
WORKDIR app/../data
USER 2000:2000
EXPOSE 8080 9000-9001/udp
`);
    expect(config.env).toEqual({
      ...{ PATH: "/opt/tool/bin:/usr/bin", LANG: "C.UTF-8", A: "1", B: "two words", C: "$PATH", D: "a b" },
      ...{ E: "1x", F: "other", G: "set", H: "", OLD: 'the "whole" rest' },
    });
    expect(config.labels).toEqual({ maintainer: "Ada <ada@example.test>", "with space": "x" });
    expect(config.workingDirectory).toBe("/srv/data");
    expect(config.user).toBe("2000:2000");
    expect(config.exposedPorts).toEqual(["80/tcp", "8080/tcp", "9000/udp", "9001/udp"]);
  });

  it("name the base that they stand on, once and first", () => {
    expect(parseDockerSteps("from base:1\nENV A=1").from).toBe("base:1");
    expect(parseDockerSteps("ENV A=1").from).toBeNull();
    expect(() => parseDockerSteps("FROM a\nFROM b")).toThrow(code("DockerStepUnsupported"));
    expect(() => parseDockerSteps("ENV A=1\nFROM b")).toThrow(/line 2/);
    expect(() => parseDockerSteps("FROM scratch")).toThrow(code("DockerStepUnsupported"));
  });

  it("may be continued, with comments and empty lines in between", () => {
    expect(run("ENV A=1 \\\n  # a remark\n\n  B=2 \\  \n  C=3\r\nENV D=4").config.env).toMatchObject({
      ...{ A: "1", B: "2", C: "3", D: "4" },
    });
    expect(run("ENV A=end\\").config.env.A).toBe("end");
  });

  it("see in one line the values from before the line", () => {
    expect(run("ENV A=1\nENV A=2 B=$A").config.env).toMatchObject({ A: "2", B: "1" });
  });

  it("give a process their variables, but not the image's PATH", () => {
    expect(stepVariables(parseDockerSteps("ENV A=1 PATH=/x:$PATH"))).toEqual({ A: "1" });
    expect(stepVariables(null)).toEqual({});
  });

  it.each([
    ["RUN <<EOF\nmake\nEOF", "DockerStepUnsupported", /script cannot stand/],
    [
      "ENV A=1\n\nrun --mount=type=cache,target=/x make",
      "DockerStepUnsupported",
      /line 3.*--mount=type=cache,target=\/x/,
    ],
    ["RUN []", "DockerStepInvalid", /names no program/],
    ["RUN", "DockerStepInvalid", /says nothing/],
    ['ENTRYPOINT ["sh"]', "DockerStepUnsupported", /by its own program/],
    ["ADD https://example.test/x /x", "DockerStepUnsupported", /use COPY/],
    ["ARG X=1", "DockerStepUnsupported", /use ENV/],
    ["VOLUME /data", "DockerStepUnsupported", /VOLUME is not known/],
    ["COPY --from=other /a /b", "DockerStepUnsupported", /--from=other/],
    ["COPY --chown=1 a /b", "DockerStepUnsupported", /belong to root/],
    ["COPY <<EOF /etc/x\nhello\nEOF", "DockerStepUnsupported", /cannot stand in the steps/],
    ["COPY a", "DockerStepInvalid", /sources and a destination/],
    ['COPY ["a", 1]', "DockerStepInvalid", /double quotes/],
    ["# escape=`\nENV A=1", "DockerStepInvalid", /only \\ continues/],
    ["ENV", "DockerStepInvalid", /says nothing/],
    ["ENV =1", "DockerStepInvalid", /KEY=VALUE/],
    ['ENV A="open', "DockerStepInvalid", /not closed/],
    ["ENV A=${B", "DockerStepInvalid", /must be/],
    [["ENV A=$", "{B:-$C}"].join(""), "DockerStepInvalid", /must be/],
    ["WORKDIR a b", "DockerStepInvalid", /one word/],
    ["ENV A=1\0", "DockerStepInvalid", /NUL/],
    ["x".repeat(70_000), "DockerStepInvalid", /more than/],
    ["ENV A=1\n".repeat(600), "DockerStepInvalid", /more than 500/],
  ])("%j is refused with its line", (text, expected, message) => {
    expect(() => run(text)).toThrow(code(expected));
    expect(() => run(text)).toThrow(message);
  });

  it.each(["USER $(id)", "USER a b", "EXPOSE 0", "EXPOSE 70000", "EXPOSE 9-1", "EXPOSE 1-65535", "EXPOSE http"])(
    "%j has no meaning",
    (text) => {
      expect(() => run(text)).toThrow(code("DockerStepInvalid"));
    },
  );

  it("of any kind end, with a result or a refusal", () => {
    const piece = fc.constantFrom(
      "ENV ",
      "COPY ",
      "LABEL ",
      "\\\n",
      "\n",
      '"',
      "'",
      "$",
      "${",
      "}",
      "A=",
      "/",
      "..",
      "[",
      "]",
      "*",
      "#",
      " ",
    );
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 60 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (steps) => {
        try {
          copiedFiles(copiesOf(steps), ["a", "b/c"], { a: "b", "b/c": "../a" });
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("RUN", () => {
  const steps = (text: string) => run(text).changes.filter((change) => change.do === "run");

  it.each([
    ["RUN make", ["/bin/sh", "-c", "make"]],
    [
      "run apt-get update && \\\n  # a remark\n\n  apt-get install -y libgl1",
      ["/bin/sh", "-c", "apt-get update &&   apt-get install -y libgl1"],
    ],
    ['RUN ["make", "-C", "$HOME/a b"]', ["make", "-C", "$HOME/a b"]],
    // As in Docker: what is no list of texts is the shell's.
    ["RUN [ -e /etc/passwd ] && echo there", ["/bin/sh", "-c", "[ -e /etc/passwd ] && echo there"]],
    ["RUN ['make']", ["/bin/sh", "-c", "['make']"]],
    ["RUN echo $((1 << 2)) <<< x", ["/bin/sh", "-c", "echo $((1 << 2)) <<< x"]],
    ["RUN echo \"$A\" '$B' \\$C", ["/bin/sh", "-c", "echo \"$A\" '$B' \\$C"]],
  ])("%j is what is run", (text, command) => {
    expect(steps(text)).toMatchObject([{ line: 1, command }]);
  });

  it("is done with what stood before it, and nothing of what comes after", () => {
    const text = "RUN one\nENV A=1 PATH=/x:$PATH\nWORKDIR srv\nUSER ada:staff\nRUN two\nENV A=2\nUSER root\nWORKDIR /";
    const { LANG } = base.env;
    expect(steps(text)).toMatchObject([
      { line: 1, text: "one", env: base.env, user: "", workingDirectory: "/" },
      { line: 5, text: "two", env: { LANG, A: "1", PATH: "/x:/usr/bin" }, user: "ada:staff", workingDirectory: "/srv" },
    ]);
  });

  it("parts what must lie below it from what is copied after it", () => {
    const { below, above, firstRun } = splitChanges(run("COPY a /a\nRUN one\nCOPY b /b\nRUN two\nCOPY c /c").changes);
    expect(below.map((change) => change.line)).toEqual([1, 2, 3, 4]);
    expect(above.map((change) => change.line)).toEqual([5]);
    expect(firstRun?.line).toBe(2);
    expect(splitChanges(run("COPY a /a").changes)).toMatchObject({
      below: [],
      above: [{ line: 1 }],
      firstRun: undefined,
    });
  });
});

describe("COPY", () => {
  const files = ["score.py", "data/a.csv", "data/deep/b.csv", "data/c.txt", "lib/x.so"];
  const links = {
    ...{
      bin: "usr/bin",
      lib: "/usr/lib",
      "var/run": "../run",
      loop: "loop",
      one: "two",
      two: "one",
      up: "../../../etc",
    },
    sly: "/opt/slipway",
  };
  const copied = (text: string) =>
    Object.fromEntries(copiedFiles(copiesOf(text), files, links).map(({ source, name }) => [name, source]));

  it.each([
    ["COPY score.py /srv/run.py", { "srv/run.py": "score.py" }],
    ["COPY score.py /srv/", { "srv/score.py": "score.py" }],
    ["COPY data /srv", { "srv/a.csv": "data/a.csv", "srv/deep/b.csv": "data/deep/b.csv", "srv/c.txt": "data/c.txt" }],
    ["COPY data/*.csv lib/x.so /srv/", { "srv/a.csv": "data/a.csv", "srv/x.so": "lib/x.so" }],
    ["WORKDIR /w\nCOPY score.py .", { "w/score.py": "score.py" }],
    ["WORKDIR /w\nCOPY score.py sub/../run.py", { "w/run.py": "score.py" }],
    ['ENV D=/srv\nCOPY ["score.py", "$D/a b/"]', { "srv/a b/score.py": "score.py" }],
    ["COPY . /all/", Object.fromEntries(files.map((file) => [`all/${file}`, file]))],
    ["COPY data/a.csv /x\nCOPY data/c.txt /x", { x: "data/c.txt" }],
    ["COPY score.py /../../etc/x", { "etc/x": "score.py" }],
    ["COPY score.py /", { "score.py": "score.py" }],
    ["COPY score.py /bin/x", { "usr/bin/x": "score.py" }],
    ["COPY score.py /bin", { bin: "score.py" }],
    ["COPY lib /lib/", { "usr/lib/x.so": "lib/x.so" }],
    ["COPY score.py /var/run/a/x", { "run/a/x": "score.py" }],
    ["COPY score.py /up/x", { "etc/x": "score.py" }],
    ["COPY score.py /binary/x", { "binary/x": "score.py" }],
  ])("%s", (text, expected) => {
    expect(copied(text)).toEqual(expected);
  });

  it.each([
    ["COPY ../etc/passwd /x", /leads out/],
    ["COPY data/../../x /x", /leads out/],
    ["COPY nothing /x", /is not among the uploaded files \(score\.py/],
    ["COPY data/a.csv data/c.txt /x", /end \/x with \//],
    ["COPY score.py /opt/slipway/bin/node", /belongs to Slipway/],
    ["COPY score.py /sly/bin/node", /belongs to Slipway/],
    ["COPY score.py /loop/x", /links that have no end/],
    ["COPY score.py /one/x", /links that have no end/],
    ["COPY score.py /opt/./env/../env/x", /belongs to Slipway/],
    ["COPY score.py /x\nCOPY data /x/", /would be a file and/],
    ["COPY *a*a*a*a*a* /x", /too many/],
    ['COPY ["score.py", "/a\\u0000b"]', /is no path/],
    ['COPY ["score.py", "a\\\\b"]', /is no path/],
  ])("%s is refused", (text, message) => {
    expect(() => copied(text)).toThrow(message);
  });
});
