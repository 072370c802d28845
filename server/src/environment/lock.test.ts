import { describe, expect, it } from "vitest";
import { formatLock, parseLock } from "./lock.ts";

const LOCK = `scipy==1.17.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via scikit-learn
Joblib[x]==1.6.0 ; python_version >= "3.8" \\
    --hash=sha256:cc
six @ https://files.example.test/six-1.17.0-py2.py3-none-any.whl \\
    --hash=sha256:dd
`;

describe("parseLock", () => {
  it("names exact versions, sorted", () => {
    expect(parseLock(LOCK).map(({ name, version }) => `${name} ${version}`)).toEqual([
      "joblib 1.6.0",
      "scipy 1.17.1",
      "six 1.17.0",
    ]);
  });

  it("keeps hashes, drops comments, and is stable", () => {
    const written = formatLock(parseLock(LOCK));
    expect(written).toContain("--hash=sha256:bb");
    expect(written).not.toContain("#");
    expect(formatLock(parseLock(written))).toBe(written);
  });

  it("has nothing in nothing", () => {
    expect(parseLock("")).toEqual([]);
  });
});
