import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { afterEach, expect, it } from "vitest";
import { detectIsolation } from "../platform/sandbox.ts";
import { openEnvironmentTestRoom, runPython } from "./environment-test-room.ts";

const { kind, description } = await detectIsolation({
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
found = {"user": os.getuid(), "variables": sorted(os.environ)}
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

it.skipIf(kind !== "bubblewrap")(`a build sees and changes nothing that is not its own (${description})`, async () => {
  const room = await openEnvironmentTestRoom({ env: { SLIPWAY_TEST_SECRET: "s" } });
  closing.push(() => room.close());
  const secret = join(room.folder, "..", "secret");
  const tree = await room.prepare({ condaFile: "dependencies: [{pip: [tabulate]}]" });
  const site = join(tree.root, "lib", (await readdir(join(tree.root, "lib")))[0] ?? "", "site-packages");
  const target = join(site, "tabulate", "__init__.py");
  const before = await readFile(target, "utf8");
  await writeFile(secret, "the key");

  const archive = await nosyArchive(secret, target);
  const server = createServer((_, response) => response.end(archive)).listen(0, "127.0.0.1");
  closing.push(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/nosy-1.0.tar.gz`;

  const made = await room.prepare({ condaFile: `dependencies: [{pip: ["nosy @ ${address}"]}]` });
  expect(made.packages).toEqual([{ name: "nosy", version: "1.0" }]);
  const found = JSON.parse(await runPython(made.root, "import nosy; print(nosy.found)")) as Record<string, unknown>;
  expect(found).toMatchObject({ read: "refused", write: "refused", list: "refused", system: "refused" });
  expect(found.variables).not.toContain("SLIPWAY_TEST_SECRET");
  if (process.getuid?.() === 0) expect(found.user).not.toBe(0);
  expect(await readFile(target, "utf8")).toBe(before);
});
