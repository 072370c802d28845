import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ScorerLog } from "../scorer-log.ts";
import { eventually } from "../testing/scorer-under-test.ts";
import { admitByKey } from "./admit.ts";
import { readServiceKeys, type ServiceKeys } from "./service-keys.ts";

let folder: string;
let lines: string[];
let keys: ServiceKeys | undefined;
const log: ScorerLog = { write: (_, text) => lines.push(text), flush: () => {}, close: () => {} };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "slipway-keys-"));
  lines = [];
});
afterEach(() => {
  keys?.stop();
  rmSync(folder, { recursive: true });
});

const read = (env: Record<string, string>) => {
  keys = readServiceKeys(env, log, 20);
  return keys;
};

describe("keys", () => {
  it("come from the variable", () => {
    const { needed, has } = read({ SLIPWAY_KEYS: "one, two" });
    expect([needed, has("one"), has("two"), has("on"), has("one, two"), has("")]).toEqual([
      ...[true, true, true, false, false, false],
    ]);
  });

  it("are not needed when none are named", () => {
    expect(read({}).needed).toBe(false);
  });

  it.each([
    [{ SLIPWAY_KEYS: " , " }, "SettingInvalid"],
    [{ SLIPWAY_KEYS: "one", SLIPWAY_KEYS_FILE: "/file" }, "SettingInvalid"],
    [{ SLIPWAY_KEYS_FILE: "/does/not/exist" }, "KeysUnreadable"],
  ])("refuses %j", (env, code) => {
    expect(() => read(env)).toThrow(expect.objectContaining({ scorerCause: expect.objectContaining({ code }) }));
  });

  it("follow the file, also when a link comes to lead elsewhere as with mounted secrets", async () => {
    writeFileSync(join(folder, "first"), "old\n");
    writeFileSync(join(folder, "second"), "new\r\nother\n");
    symlinkSync("first", join(folder, "keys"));
    const { has } = read({ SLIPWAY_KEYS_FILE: join(folder, "keys") });
    expect([has("old"), has("new")]).toEqual([true, false]);

    symlinkSync("second", join(folder, "keys.new"));
    renameSync(join(folder, "keys.new"), join(folder, "keys"));

    await eventually(() => expect([has("old"), has("new"), has("other")]).toEqual([false, true, true]));
    expect(lines).toEqual([`Read 2 keys from ${join(folder, "keys")}.`]);
  });

  it("stay valid when the file is emptied or goes away", async () => {
    const file = join(folder, "keys");
    writeFileSync(file, "one\n");
    const { has } = read({ SLIPWAY_KEYS_FILE: file });
    writeFileSync(file, "");
    await eventually(() => expect(lines.at(-1)).toContain("it has no key in it. The keys read before stay valid."));
    expect(has("one")).toBe(true);
  });
});

describe("a caller", () => {
  const ask = (url: string, authorization?: string, remoteAddress = "10.0.0.1") => {
    const request = { url, headers: { authorization }, socket: { remoteAddress } } as IncomingMessage;
    return admitByKey("digits", read({ SLIPWAY_KEYS: "one" }))(request)?.cause.code;
  };

  it.each(["/", "/ready", "/ready?x=1", "/ping", "/v2/health/live"])("may ask %s without a key", (path) => {
    expect(ask(path)).toBeUndefined();
  });

  it.each(["/score", "/swagger.json", "/metrics", "/_slipway/state", "/v2", "//", "/ready/x"])(
    "needs a key for %s",
    (path) => {
      expect([ask(path), ask(path, "Bearer two"), ask(path, "Basic one"), ask(path, "bearer one")]).toEqual([
        ...["CredentialMissing", "KeyWrong", "CredentialMissing", undefined],
      ]);
    },
  );

  it("of the container itself may read metrics", () => {
    expect([ask("/metrics", undefined, "::ffff:127.0.0.1"), ask("/score", undefined, "127.0.0.1")]).toEqual([
      ...[undefined, "CredentialMissing"],
    ]);
  });
});
