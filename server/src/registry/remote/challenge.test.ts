import { describe, expect, it } from "vitest";
import { parseChallenges } from "./challenge.ts";

describe("what a registry asks for", () => {
  it("reads values quoted or not, with commas and quotes in them", () => {
    expect(
      parseChallenges('Bearer realm="https://a.example.test/token?x=1,2",service=reg,scope="repository:a/b:pull,push"'),
    ).toEqual([
      {
        scheme: "bearer",
        parameters: { realm: "https://a.example.test/token?x=1,2", service: "reg", scope: "repository:a/b:pull,push" },
      },
    ]);
    expect(parseChallenges('Bearer realm="a\\"b"')[0]?.parameters).toEqual({ realm: 'a"b' });
  });

  it("reads several, in one header", () => {
    const found = parseChallenges('Negotiate, Basic realm="x", charset="UTF-8", Bearer realm="y"');
    expect(found.map(({ scheme }) => scheme)).toEqual(["negotiate", "basic", "bearer"]);
    expect(found[1]?.parameters).toEqual({ realm: "x", charset: "UTF-8" });
  });

  it("makes nothing of nonsense, quickly", () => {
    expect(parseChallenges(undefined)).toEqual([]);
    expect(parseChallenges('="x"')).toEqual([]);
    const started = performance.now();
    parseChallenges(`Bearer realm="${"\\".repeat(100_000)}`);
    parseChallenges(`Bearer ${"a=".repeat(100_000)}`);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
