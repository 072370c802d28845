import { describe, expect, it } from "vitest";
import { choosePlatform, type ImageIndex, parseImageConfig, parseManifest } from "./image-document.ts";

const DOCKER = "application/vnd.docker";
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const descriptor = (letter: string, mediaType: string) => ({ mediaType, digest: digest(letter), size: 1 });
const config = descriptor("c", "application/vnd.oci.image.config.v1+json");
const gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("a manifest", () => {
  it("of Docker or OCI gives the same", () => {
    const oci = { schemaVersion: 2, config, layers: [descriptor("a", gzip)] };
    const docker = {
      schemaVersion: 2,
      mediaType: `${DOCKER}.distribution.manifest.v2+json`,
      config: { ...config, mediaType: `${DOCKER}.container.image.v1+json` },
      layers: [descriptor("a", `${DOCKER}.image.rootfs.diff.tar.gzip`)],
    };
    expect(parseManifest("x", manifestType, json(oci))).toMatchObject({ layers: [descriptor("a", gzip)] });
    expect(parseManifest("x", "text/plain", json(docker))).toMatchObject({ layers: [descriptor("a", gzip)] });
  });

  it.each([
    ["not JSON", "text", Buffer.from("<html>")],
    ["not Unicode", manifestType, Buffer.from([0x22, 0xff, 0x22])],
    ["null", manifestType, Buffer.from("null")],
    ["of schema 1", `${DOCKER}.distribution.manifest.v1+prettyjws`, json({ schemaVersion: 1, fsLayers: [] })],
    ["of an unknown type", "application/vnd.cncf.helm.config.v1+json", json({ schemaVersion: 2 })],
    ["without layers", manifestType, json({ schemaVersion: 2, config })],
    [
      "with layers that are no file systems",
      manifestType,
      json({ schemaVersion: 2, config, layers: [descriptor("a", "application/vnd.cncf.helm.chart")] }),
    ],
    [
      "with layers that lie elsewhere",
      manifestType,
      json({
        schemaVersion: 2,
        config,
        layers: [descriptor("a", `${DOCKER}.image.rootfs.foreign.diff.tar.gzip`)],
      }),
    ],
    [
      "with a media type that every object has",
      manifestType,
      json({ schemaVersion: 2, config, layers: [descriptor("a", "constructor")] }),
    ],
    [
      "with a digest that is a path",
      manifestType,
      json({ schemaVersion: 2, config: { ...config, digest: "sha256:../../x" }, layers: [] }),
    ],
    ["with a negative size", manifestType, json({ schemaVersion: 2, config: { ...config, size: -1 }, layers: [] })],
    [
      "with endless layers",
      manifestType,
      json({ schemaVersion: 2, config, layers: Array.from({ length: 1_001 }, () => descriptor("a", gzip)) }),
    ],
  ])("%s is refused", (_name, mediaType, bytes) => {
    expect(() => parseManifest("x", mediaType, bytes)).toThrow(code("ManifestInvalid"));
  });
});

describe("an index", () => {
  const entry = (letter: string, platform: object | undefined) => ({ ...descriptor(letter, manifestType), platform });
  const index = (...manifests: object[]) =>
    parseManifest(
      "x",
      `${DOCKER}.distribution.manifest.list.v2+json`,
      json({ schemaVersion: 2, manifests }),
    ) as ImageIndex;
  const all = index(
    entry("1", { os: "linux", architecture: "amd64", variant: "v3" }),
    entry("2", { os: "linux", architecture: "amd64" }),
    entry("3", { os: "linux", architecture: "arm64", variant: "v8" }),
    entry("4", { os: "windows", architecture: "amd64" }),
    entry("5", { os: "unknown", architecture: "unknown" }),
    entry("6", { os: "linux", architecture: "arm", variant: "v5" }),
    entry("7", { os: "linux", architecture: "arm", variant: "v7" }),
    entry("8", undefined),
  );

  it.each([
    [{ os: "linux", architecture: "amd64" }, "2"],
    [{ os: "linux", architecture: "arm64" }, "3"],
    [{ os: "linux", architecture: "arm64", variant: "v8" }, "3"],
    [{ os: "linux", architecture: "arm", variant: "v7" }, "7"],
    [{ os: "linux", architecture: "arm", variant: "v6" }, "6"],
  ])("gives for %j the one that runs there", (wanted, letter) => {
    expect(choosePlatform("x", all, wanted).digest).toBe(digest(letter));
  });

  it("says what it has when it has nothing that fits", () => {
    const wanted = { os: "linux", architecture: "riscv64" };
    expect(() => choosePlatform("x", all, wanted)).toThrow(/not made for linux\/riscv64; it is there for linux\/amd64/);
    expect(() => choosePlatform("x", all, wanted)).not.toThrow(/unknown\/unknown/);
    expect(() => choosePlatform("x", index(), wanted)).toThrow(code("PlatformNotOffered"));
  });
});

describe("an image's configuration", () => {
  it("is empty where it says nothing", () => {
    const bytes = json({
      os: "linux",
      architecture: "arm64",
      variant: "v8",
      config: { Env: ["A=1=2", "B", "PATH=/bin"], Entrypoint: null, ExposedPorts: { "80/tcp": {} } },
      rootfs: { diff_ids: [digest("a")] },
    });
    expect(parseImageConfig("x", bytes, 1)).toEqual({
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
      diffIds: [digest("a")],
      config: {
        env: { A: "1=2", B: "", PATH: "/bin" },
        user: "",
        workingDirectory: "",
        entrypoint: [],
        command: [],
        labels: {},
        exposedPorts: ["80/tcp"],
      },
    });
  });

  it("must tell of as many layers as there are", () => {
    const bytes = json({ os: "linux", architecture: "amd64", rootfs: { diff_ids: [digest("a")] } });
    expect(() => parseImageConfig("x", bytes, 2)).toThrow(/2 layers, but its configuration tells of 1/);
  });
});
