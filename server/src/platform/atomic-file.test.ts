import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readFileIfThere, writeFileAtomically } from "./atomic-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "atomic-file-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("writes, replaces, makes folders, and leaves nothing beside the file", async () => {
  const file = join(folder, "deep", "er", "file.json");
  await writeFileAtomically(file, "one");
  await writeFileAtomically(file, "two");
  expect(await readFile(file, "utf8")).toBe("two");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "deep", "er"))).toEqual(["file.json"]);
});

test("writers at the same moment leave one whole text", async () => {
  const file = join(folder, "file");
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(5_000));
  await Promise.all(texts.map((text) => writeFileAtomically(file, text)));
  expect(texts).toContain(await readFile(file, "utf8"));
  expect(await readdir(folder)).toEqual(["file"]);
});

test("a failure leaves nothing behind", async () => {
  await writeFile(join(folder, "is-a-file"), "");
  await expect(writeFileAtomically(join(folder, "is-a-file", "x"), "text")).rejects.toThrow();
  await expect(writeFileAtomically(folder, "text")).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["is-a-file"]);
});

test("what is not there reads as undefined", async () => {
  await writeFile(join(folder, "is-a-file"), "text");
  expect(await readFileIfThere(join(folder, "is-a-file"))).toBe("text");
  expect(await readFileIfThere(join(folder, "no"))).toBeUndefined();
  expect(await readFileIfThere(join(folder, "is-a-file", "no"))).toBeUndefined();
  await expect(readFileIfThere(folder)).rejects.toThrow();
});
