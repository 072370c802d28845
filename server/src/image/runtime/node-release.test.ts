import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { NODE_RELEASES } from "./node-release.ts";

it("pins what the project's own lock file pins", () => {
  const lock = JSON.parse(readFileSync(new URL("../../../../package-lock.json", import.meta.url), "utf8"));
  for (const { packageName, version, integrity } of NODE_RELEASES.values()) {
    expect(lock.packages[`node_modules/${packageName}`]).toMatchObject({ version, integrity });
  }
});
