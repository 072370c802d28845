import { describe, expect, it } from "vitest";
import { compareImages } from "./compare-images.ts";
import type { ImageContents } from "./image-contents.ts";

const layer = (kind: string, digest: string, sizeBytes: number) => ({
  ...{ kind, title: kind, digest: `sha256:${digest.repeat(64)}`, sizeBytes, sharedWith: 0 },
});
const deb = (name: string, version: string) => ({ kind: "deb" as const, name, version, architecture: "amd64" });
const base = (digest: string, ...packages: ReturnType<typeof deb>[]) => ({
  ...{ reference: "base:python3.11", digest, contents: { distribution: null, packages } },
});

const contents = (change: Partial<ImageContents> = {}): ImageContents => ({
  ...{ imageId: "digits:1", digest: "sha256:1", runtime: "python", driver: "score.py", architecture: "amd64" },
  ...{ python: "3.11.2", base: null, layers: [], environment: null, models: [], code: [], proofs: [] },
  ...{ environmentVariables: {}, configuration: { variables: {}, settings: {} } },
  ...change,
});

describe("two images", () => {
  it("that are the same have no differences", () => {
    const { from, to, sharedBytes, ...differences } = compareImages(contents(), contents());
    expect([from, to, sharedBytes]).toMatchObject([{ imageId: "digits:1" }, { imageId: "digits:1" }, 0]);
    expect(Object.values(differences)).toEqual([[], [], [], [], [], []]);
  });

  it("on a newer base differ in its packages", () => {
    const older = contents({ base: base("sha256:a", deb("libc6", "1"), deb("perl", "5")) });
    const newer = contents({ base: base("sha256:b", deb("libc6", "2"), deb("zlib1g", "3")) });
    const { basePackages, settings } = compareImages(older, newer);
    expect(basePackages).toEqual([
      { name: "libc6", from: "1", to: "2" },
      { name: "perl", from: "5", to: null },
      { name: "zlib1g", from: null, to: "3" },
    ]);
    expect(settings).toEqual([{ name: "base", from: "base:python3.11@sha256:a", to: "base:python3.11@sha256:b" }]);
  });

  it("built by another Slipway differ in its programs", () => {
    const older = contents({ layers: [layer("base", "a", 10), layer("runtime", "b", 100)] });
    const newer = contents({ layers: [layer("base", "a", 10), layer("runtime", "c", 200)] });
    const { from, to, sharedBytes, settings } = compareImages(older, newer);
    expect([from.sizeBytes, to.sizeBytes, sharedBytes]).toEqual([110, 210, 10]);
    expect(settings).toEqual([
      { name: "programs of Slipway", from: `sha256:${"b".repeat(12)}`, to: `sha256:${"c".repeat(12)}` },
    ]);
  });

  it("differ in what they set, wherever it was said, but for the folder of the models", () => {
    const started = (user: string, variables: Record<string, string>) =>
      contents({ configuration: { variables, settings: { user, "working folder": "/app" } } });
    const older = started("1000", { PATH: "/bin", AZUREML_MODEL_DIR: "/a/1" });
    const newer = started("1001", { PATH: "/usr/bin", AZUREML_MODEL_DIR: "/a/2" });
    expect(compareImages(older, newer)).toMatchObject({
      environmentVariables: [{ name: "PATH", from: "/bin", to: "/usr/bin" }],
      settings: [{ name: "user", from: "1000", to: "1001" }],
    });
  });

  it("count a layer that is there twice once, as a machine pulls it once", () => {
    const twice = contents({ layers: [layer("model", "a", 10), layer("model", "a", 10)] });
    expect(compareImages(twice, twice).sharedBytes).toBe(10);
  });

  it("with two versions of one model are compared by both", () => {
    const model = (version: number) => ({ id: `digits:${version}`, name: "digits", version, files: 1, sizeBytes: 1 });
    const { models } = compareImages(contents({ models: [model(1), model(2)] }), contents({ models: [model(2)] }));
    expect(models).toEqual([{ name: "digits", from: "1, 2", to: "2" }]);
  });
});
