import { expect, it } from "vitest";
import { architectureOf } from "./image-architecture.ts";

it.each([
  ["amd64", "amd64", "amd64", true],
  ["Amd64", "amd64", "amd64", true],
  ["amd64", "arm64", "arm64", false],
  ["linux/amd64", "arm64", "amd64", true],
  ["linux/x86_64", "arm64", "amd64", true],
  ["arm64", "amd64", "arm64", true],
  ["linux/arm64", "amd64", "arm64", true],
  ["aarch64", "amd64", "arm64", true],
  ["arm32v7", "amd64", "amd64", false],
  ["", "amd64", "amd64", false],
  ["constructor", "amd64", "amd64", false],
])("an image for %j made on %s is for %s", (wanted, own, architecture, exact) => {
  expect(architectureOf(wanted, own)).toEqual({ architecture, exact });
});
