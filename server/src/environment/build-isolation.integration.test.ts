import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, expect, it } from "vitest";
import { detectIsolation, type Isolation } from "../platform/sandbox.ts";
import { openEnvironmentTestRoom, runPython } from "./environment-test-room.ts";

const best = await detectIsolation({
  ...{ probeCommand: ["/bin/true"], reach: [], hidden: [] },
  signal: new AbortController().signal,
});

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A source distribution whose build tries to reach what is not its own, and packs what came of it. */
async function nosyArchive(secret: string, target: string): Promise<Buffer> {
  const tar = pack();
  const add = (name: string, text: string) => tar.entry({ name: `nosy-1.0/${name}` }, text);
  add("PKG-INFO", "Metadata-Version: 2.1\nName: nosy\nVersion: 1.0\n");
  add(
    "setup.py",
    `
import json, os
from setuptools import setup
found = {"user": os.getuid(), "home": os.environ["HOME"], "variables": sorted(os.environ)}
for name, attempt in {
    "read": lambda: open(${JSON.stringify(secret)}).read(),
    "write": lambda: open(${JSON.stringify(target)}, "w").write("changed"),
    "list": lambda: os.listdir(${JSON.stringify(dirname(target))}),
    "system": lambda: open("/usr/slipway-nosy", "w").write("changed"),
}.items():
    try:
        found[name] = str(attempt())
    except OSError as error:
        found[name] = "refused"
open("nosy.py", "w").write("found = " + repr(json.dumps(found)))
setup(name="nosy", version="1.0", py_modules=["nosy"])
`,
  );
  tar.finalize();
  return gzipSync(await buffer(tar));
}

/** Prepares an environment from it, and tells what its build came to. */
async function buildNosy(kinds: readonly Isolation["kind"][]) {
  const room = await openEnvironmentTestRoom({ env: { SLIPWAY_TEST_SECRET: "s" }, kinds });
  closing.push(() => room.close());
  const tree = await room.prepare({ condaFile: "dependencies: [{pip: [tabulate]}]" });
  const site = join(tree.root, "lib", (await readdir(join(tree.root, "lib")))[0] ?? "", "site-packages");
  const secret = join(room.folder, "secret");
  const target = join(site, "tabulate", "__init__.py");
  const before = await readFile(target, "utf8");
  await writeFile(secret, "the key", { mode: 0o600 });

  const archive = await nosyArchive(secret, target);
  const server = createServer((_, response) => response.end(archive)).listen(0, "127.0.0.1");
  closing.push(() => server.close());
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/nosy-1.0.tar.gz`;

  const made = await room.prepare({ condaFile: `dependencies: [{pip: ["nosy @ ${address}"]}]` });
  expect(made.packages).toEqual([{ name: "nosy", version: "1.0" }]);
  expect(await readFile(target, "utf8")).toBe(before);
  return JSON.parse(await runPython(made.root, "import nosy; print(nosy.found)")) as Record<string, unknown>;
}

it.skipIf(best.kind !== "bubblewrap")(
  `a build sees and changes nothing that is not its own (${best.description})`,
  async () => {
    const found = await buildNosy(["bubblewrap"]);
    expect(found).toMatchObject({ read: "refused", write: "refused", list: "refused", system: "refused" });
    expect(found.variables).not.toContain("SLIPWAY_TEST_SECRET");
    if (best.changesUser) expect(found.user).not.toBe(process.getuid?.());
  },
);

it.skipIf(!best.changesUser)("without bubblewrap a build runs under another user id, if we may change it", async () => {
  const found = await buildNosy(["user"]);
  expect(found).toMatchObject({ read: "refused", write: "refused", system: "refused" });
  expect(found.variables).not.toContain("SLIPWAY_TEST_SECRET");
  expect(found.user).not.toBe(process.getuid?.());
  // With it go the settings that it was told.
  expect(existsSync(String(found.home))).toBe(false);
});
