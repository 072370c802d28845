import { describe, expect, it } from "vitest";
import { checkedPackage, fileNameOf, formatCondaLock, type SolvedPackage, subdirOf } from "./conda-lock.ts";

const SHA256 = "a".repeat(64);
const MD5 = "b".repeat(32);
const solved: SolvedPackage = {
  ...{ name: "numpy", version: "1.26.4", build: "py311_0", size: 10, sitePackages: null },
  ...{ url: "https://example.org/cf/linux-64/numpy-1.26.4-py311_0.conda", sha256: SHA256, md5: MD5 },
};

describe("a locked conda package", () => {
  it("knows its folder and file, and loses credentials", () => {
    const one = checkedPackage({ ...solved, url: "https://u:p@example.org/cf/linux-64/x-1!1.0%2Bcpu-0.conda#frag" });
    expect(one.url).toBe("https://example.org/cf/linux-64/x-1!1.0%2Bcpu-0.conda");
    expect([subdirOf(one), fileNameOf(one)]).toEqual(["linux-64", "x-1!1.0+cpu-0.conda"]);
  });

  it("is written as conda reads it, by md5 where there is nothing better", () => {
    const packages = [checkedPackage(solved), checkedPackage({ ...solved, sha256: null })];
    expect(formatCondaLock("linux-64", packages)).toBe(
      `# platform: linux-64\n@EXPLICIT\n${solved.url}#sha256:${SHA256}\n${solved.url}#${MD5}\n`,
    );
  });

  it.each<[string, Partial<SolvedPackage>]>([
    ["a file of this machine", { url: "file:///cf/linux-64/x-1-0.conda" }],
    ["no address", { url: "x-1-0.conda" }],
    ["a path out", { url: "https://example.org/cf/linux-64/..%2Fx-1-0.conda" }],
    ["another kind of file", { url: "https://example.org/cf/linux-64/x-1-0.sh" }],
    ["no folder of a platform", { url: "https://example.org/%2e%2e%2f/x-1-0.conda" }],
    ["no hash", { sha256: null, md5: null }],
    ["half a hash", { sha256: "abc" }],
    ["a folder of packages elsewhere", { sitePackages: "../lib/python3.11/site-packages" }],
  ])("is refused with %s", (_, changes) => {
    expect(() => checkedPackage({ ...solved, ...changes })).toThrow(
      expect.objectContaining({ code: "CondaChannelInvalid", message: expect.stringContaining("numpy 1.26.4") }),
    );
  });
});
