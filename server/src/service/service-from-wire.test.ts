import { describe, expect, it } from "vitest";
import { ownArchitecture } from "../platform/architecture.ts";
import { imageRequest } from "./service-from-wire.ts";

describe("the processor of a service's image", () => {
  const baseImage = "registry.example.test/base:1";
  const asked = (docker: object) =>
    imageRequest({ modelIds: [], environment: { docker } }).targetRuntime?.targetArchitecture;

  it("is this machine's when nobody says", () => {
    expect(asked({ baseImage })).toBe(ownArchitecture());
  });

  it.each(["arm64", "amd64"])("is the one that the environment's platform asks for: %s", (architecture) => {
    expect(asked({ baseImage, platform: { architecture } })).toBe(architecture);
    expect(asked({ platform: { architecture } })).toBe(architecture);
  });

  it("is left to the image when the environment has no wishes at all", () => {
    expect(imageRequest({ modelIds: [], environment: {} }).targetRuntime).toBeUndefined();
  });
});
