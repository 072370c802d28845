import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileOnDisk, filesAt } from "./file-on-disk.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a file is read in the pieces that are asked for", async () => {
  const path = join(folder, "model.bin");
  await writeFile(path, "0123456789");
  const file = await fileOnDisk(path);
  expect(file).toMatchObject({ path: "model.bin", sizeBytes: 10 });
  expect(await new Response(await file.slice(3, 6)).text()).toBe("345");
  expect(await file.sha256?.()).toBe(createHash("sha256").update("0123456789").digest("hex"));
});

test("a file that shrinks while it is sent is an error that names it", async () => {
  const path = join(folder, "model.bin");
  await writeFile(path, "0123456789");
  const file = await fileOnDisk(path);
  await truncate(path, 4);
  await expect(file.slice(0, 10)).rejects.toMatchObject({ code: "FileChanged" });
});

test("a folder gives all its files under its own name, in order", async () => {
  await mkdir(join(folder, "exported/variables"), { recursive: true });
  for (const name of ["saved_model.pb", "variables/b", "variables/a"])
    await writeFile(join(folder, "exported", name), name);
  const files = await filesAt(join(folder, "exported"));
  expect(files.map((file) => file.path)).toEqual([
    "exported/saved_model.pb",
    "exported/variables/a",
    "exported/variables/b",
  ]);
});

test("what is missing or empty is named", async () => {
  await expect(filesAt(join(folder, "none"))).rejects.toMatchObject({ code: "FileNotReadable", outcome: "usage" });
  await expect(filesAt(folder)).rejects.toMatchObject({ code: "EmptyFolder" });
});
