import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { layerPicture } from "./layer-picture.ts";

const MIB = 1024 * 1024;
const layer = (kind: string, sizeBytes: number, title = kind, sharedWith = 0) => ({
  ...{ kind, title, sizeBytes, sharedWith },
  digest: `sha256:${kind.charCodeAt(0).toString(16).repeat(32)}`,
});

test("the lowest layer is drawn at the bottom, the largest at full length, and the smallest is seen", () => {
  const layers = [
    layer("base", 100 * MIB, "base python:3.11", 2),
    layer("environment", 200 * MIB),
    layer("code", 10, "code", 1),
  ];
  expect(stripVTControlCharacters(layerPicture(layers)).split("\n")).toEqual([
    "code         ▏                            10 B  636363636363  in 1 other image",
    "environment  ████████████████████████  200 MiB  656565656565  only here",
    "base         ████████████              100 MiB  626262626262  in 2 other images  python:3.11",
    "                                       300 MiB",
  ]);
});

test("lengths are exact to an eighth of a column", () => {
  const bars = layerPicture([layer("model", 192), layer("code", 12)]).match(/[█▏▎▍▌▋▊▉]+/g);
  expect(bars).toEqual(["█▌", "█".repeat(24)]);
});

test("an image without layers has a sum", () => {
  expect(layerPicture([]).trim()).toBe("0 B");
});

test("titles cannot move the cursor", () => {
  expect(layerPicture([layer("model", 1, "model \u001b[2Jx:1")])).toContain("\\x1b[2Jx:1");
});
