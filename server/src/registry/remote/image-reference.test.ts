import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../platform/errors.ts";
import { imageName, inRegistry, parseImageReference, referenceTarget } from "./image-reference.ts";

const digest = `sha256:${"ab".repeat(32)}`;

describe("the name of an image", () => {
  it.each([
    ["python", { host: "docker.io", repository: "library/python", tag: "latest" }],
    ["python:3.11-slim", { host: "docker.io", repository: "library/python", tag: "3.11-slim" }],
    ["team/base", { host: "docker.io", repository: "team/base", tag: "latest" }],
    ["docker.io/python", { host: "docker.io", repository: "library/python", tag: "latest" }],
    ["index.docker.io/team/base:1", { host: "docker.io", repository: "team/base", tag: "1" }],
    ["localhost/base", { host: "localhost", repository: "base", tag: "latest" }],
    ["localhost:5000/base:1", { host: "localhost:5000", repository: "base", tag: "1" }],
    ["127.0.0.1:5000/a/b/c:1", { host: "127.0.0.1:5000", repository: "a/b/c", tag: "1" }],
    ["[::1]:5000/base", { host: "[::1]:5000", repository: "base", tag: "latest" }],
    ["Host/base", { host: "Host", repository: "base", tag: "latest" }],
    ["registry.example.test/a__b/c-d.e:V_1", { host: "registry.example.test", repository: "a__b/c-d.e", tag: "V_1" }],
    [`python@${digest}`, { host: "docker.io", repository: "library/python", digest }],
    [`r.example.test/a:1@${digest}`, { host: "r.example.test", repository: "a", tag: "1", digest }],
  ])("%s", (text, expected) => {
    expect(parseImageReference(text)).toEqual(expected);
  });

  it.each([
    "",
    " python",
    "Python",
    "https://registry.example.test/a",
    "a//b",
    "/a",
    "a/",
    "a:",
    "a:.tag",
    `a:${"x".repeat(129)}`,
    "a@sha256:12",
    `a@md5:${"a".repeat(32)}`,
    `a@${digest}@${digest}`,
    "ab".repeat(32),
    "a..b/c",
    "registry.example.test:port/a",
    "registry.example.test:123456/a",
    "../../etc/passwd",
    "a/../b",
    "a?x=1",
    "a#b",
    "user@host/a",
    "a b",
    "a\nb",
    `x/${"y".repeat(256)}`,
  ])("is refused: %j", (text) => {
    expect(() => parseImageReference(text)).toThrow(expect.objectContaining({ code: "ReferenceInvalid" }));
  });

  it("means the same when it is written out in full, and never leads elsewhere in an address", () => {
    const anything = fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9.:/@_-]{1,60}$/));
    fc.assert(
      fc.property(anything, (text) => {
        let parsed: ReturnType<typeof parseImageReference>;
        try {
          parsed = parseImageReference(text);
        } catch (error) {
          return error instanceof AppError;
        }
        expect(parseImageReference(imageName(parsed))).toEqual(parsed);
        const url = new URL(
          `https://registry.example.test/v2/${parsed.repository}/manifests/${referenceTarget(parsed)}`,
        );
        return url.pathname === `/v2/${parsed.repository}/manifests/${referenceTarget(parsed)}`;
      }),
    );
  });

  it("is put into the registry that is named beside it, once", () => {
    expect(inRegistry("https://mine.example.test/", "base:1")).toBe("mine.example.test/base:1");
    expect(inRegistry("mine.example.test", "mine.example.test/base:1")).toBe("mine.example.test/base:1");
    expect(inRegistry("", "base:1")).toBe("base:1");
  });
});
