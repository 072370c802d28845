import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRotatingLog } from "./rotating-log.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-log-"));
  file = join(folder, "logs", "scorer.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (name = file) => readFileSync(name, "utf8");

describe("the rotating log", () => {
  it("writes time, source and text, and appends to what is there", () => {
    for (const text of ["first", "second"]) {
      const log = openRotatingLog(file);
      log.write("worker-1 stdout", text);
      log.close();
    }
    expect(read()).toMatch(/^\S+Z worker-1 stdout: first\n\S+Z worker-1 stdout: second\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("writes by itself in the next turn", async () => {
    const log = openRotatingLog(file);
    log.write("scorer", "soon");
    expect(read()).toBe("");
    await expect.poll(() => read()).toContain("soon");
    log.close();
  });

  it("keeps one older file and never loses or cuts a line", () => {
    const log = openRotatingLog(file, 1_000);
    const total = 60;
    for (let n = 0; n < total; n += 1) {
      log.write("scorer", `line ${n} ${"ä".repeat(10)}`);
      log.flush();
      expect(statSync(file).size).toBeLessThanOrEqual(1_100);
    }
    log.close();
    const kept = [...read(`${file}.1`).split("\n"), ...read().split("\n")].filter((line) => line !== "");
    const numbers = kept.map((line) => Number(/line (\d+) ä{10}$/.exec(line)?.[1]));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => total - numbers.length + index));
    expect(numbers.length).toBeGreaterThan(10);
  });

  it("continues a full file of an earlier life by rotating it", () => {
    const before = openRotatingLog(file, 100);
    before.write("scorer", "x".repeat(200));
    before.close();
    const log = openRotatingLog(file, 100);
    log.write("scorer", "new");
    log.close();
    expect(read()).toMatch(/new\n$/);
    expect(read(`${file}.1`)).toContain("xxx");
  });

  it("cuts a line that has no end", () => {
    const log = openRotatingLog(file);
    log.write("scorer", "y".repeat(100_000));
    log.close();
    expect(read().length).toBeLessThan(20_000);
  });

  it("goes on when it cannot be written, and tells how much is missing when it can again", () => {
    const log = openRotatingLog(file, 10);
    log.write("scorer", "one");
    log.flush();
    // A folder in the way of the older file makes the rotation fail.
    mkdirSync(join(`${file}.1`, "in-the-way"), { recursive: true });
    log.write("scorer", "two");
    log.write("scorer", "three");
    log.flush();
    rmSync(`${file}.1`, { recursive: true });
    log.write("scorer", "four");
    log.close();
    expect(read(`${file}.1`)).toContain("2 lines of log could not be written");
    expect(read()).toMatch(/four\n$/);
  });
});
