import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tryLock } from "./exclusive-lock.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-lock-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a second holder is refused until the first lets go", () => {
  const file = join(folder, "a.lock");
  const first = tryLock(file);
  expect(first).toBeDefined();
  expect(tryLock(file)).toBeUndefined();
  first?.release();
  const again = tryLock(file);
  expect(again).toBeDefined();
  again?.release();
});

test("a holder that is killed leaves nothing behind", async () => {
  const file = join(folder, "b.lock");
  const script = `import { tryLock } from ${JSON.stringify(new URL("./exclusive-lock.ts", import.meta.url).href)};
    tryLock(${JSON.stringify(file)}); console.log("held"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  expect(tryLock(file)).toBeUndefined();
  holder.kill("SIGKILL");
  await once(holder, "exit");
  const lock = tryLock(file);
  expect(lock).toBeDefined();
  lock?.release();
});
