import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownLimits } from "./own-limits.ts";

test("limits are no higher than this machine's, and left alone where it has none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-limits-"));
  const file = join(folder, "limits");
  await writeFile(
    file,
    "Max processes             96365  96365  processes\nMax open files            1024  20000  files\n",
  );
  expect(await ownLimits(file)).toEqual([
    { Name: "nofile", Soft: 20_000, Hard: 20_000 },
    { Name: "nproc", Soft: 20_000, Hard: 20_000 },
  ]);
  await writeFile(file, "Max processes             unlimited unlimited processes\n");
  expect(await ownLimits(file)).toEqual([]);
  await rm(folder, { recursive: true });
});
