import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEnvironmentContents } from "./environment-contents.ts";

describe("the contents of an environment", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "slipway-environment-"));
    await mkdir(join(root, "lib/python3.11/site-packages"), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  async function write(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const site = "lib/python3.11/site-packages";
  async function install(
    name: string,
    version: string,
    record: string,
    metadata: string | Uint8Array = "",
  ): Promise<void> {
    await write(`${site}/${name}-${version}.dist-info/RECORD`, record);
    await write(`${site}/${name}-${version}.dist-info/METADATA`, metadata);
  }

  it("are its packages with licences, and the sizes of their files, scripts and bytecode", async () => {
    const record = 'zope/a.py,sha256=x,3\nzope/"b,c".py,,\n"zope/d,e.py",,\n../../../bin/zope,,9\n';
    const metadata = "License: ZPL-2.1\n";
    await install("Zope.Interface", "7.0", record, metadata);
    await write(`${site}/zope/a.py`, "123");
    await write(`${site}/zope/d,e.py`, "12345");
    await write(`${site}/zope/__pycache__/a.cpython-311.pyc`, "1234567");
    await write("bin/zope", "1");
    await write(`${site}/nobody.py`, "12");
    const contents = await readEnvironmentContents(root);
    expect(contents?.packages).toEqual([
      { name: "zope-interface", version: "7.0", licenses: ["ZPL-2.1"], sizeBytes: 16 },
    ]);
    expect(contents?.sizeBytes).toBe(3 + 5 + 7 + 1 + 2 + record.length + metadata.length);
  });

  it("believe no size and no path that a package names, and count each file once", async () => {
    await install(
      "a",
      "1",
      "shared.py,,999999\n../../../../../../etc/passwd,,5\n/etc/hostname,,5\n\0,,\nbroken line\n",
    );
    await install("b", "1", "shared.py,,4\n");
    await write(`${site}/shared.py`, "1234");
    const packages = (await readEnvironmentContents(root))?.packages;
    expect(packages?.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
      ["a", 4],
      ["b", 0],
    ]);
  });

  it("do not know the size of a package without RECORD, or with one that no package has", async () => {
    await write(`${site}/bare-1.dist-info/METADATA`, Buffer.from([0xff, 0xff]));
    await install("huge", "2", "x".repeat(17 * 1024 * 1024), Buffer.alloc(1024 * 1024, "License: MIT\n"));
    const packages = (await readEnvironmentContents(root))?.packages;
    expect(packages).toEqual([
      { name: "bare", version: "1", licenses: [], sizeBytes: null },
      { name: "huge", version: "2", licenses: ["MIT"], sizeBytes: null },
    ]);
  });

  it("follow no link out of the tree", async () => {
    await install("linked", "1", "");
    await rm(join(root, site, "linked-1.dist-info/METADATA"));
    const outside = await mkdtemp(join(tmpdir(), "slipway-outside-"));
    await writeFile(join(outside, "METADATA"), "License: Stolen\n");
    await symlink(join(outside, "METADATA"), join(root, site, "linked-1.dist-info/METADATA"));
    await symlink(outside, join(root, site, "folder-1.dist-info"));
    const packages = (await readEnvironmentContents(root))?.packages;
    await rm(outside, { recursive: true });
    expect(packages).toEqual([{ name: "linked", version: "1", licenses: [], sizeBytes: 0 }]);
  });

  it("count a Python package that conda installed once, as conda's", async () => {
    const url = "https://conda.example.test/main/linux-64/six-1.17.0-py311_0.conda";
    const files = [`${site}/six.py`, `${site}/six-1.17.0.dist-info/METADATA`, `${site}/six-1.17.0.dist-info/RECORD`];
    const record = {
      name: "six",
      version: "1.17.0",
      build: "py311_0",
      url,
      sha256: "a".repeat(64),
      license: "MIT",
      files,
    };
    await write("conda-meta/six-1.17.0-py311_0.json", JSON.stringify(record));
    await write(`${site}/six.py`, "12345");
    await install("six", "1.17.0", "six.py,,\n", "License: BSD\n");
    await install("pip-only", "1", "");
    const packages = (await readEnvironmentContents(root))?.packages;
    expect(packages).toMatchObject([
      { name: "pip-only", version: "1" },
      { name: "six", licenses: ["MIT"], conda: { build: "py311_0", url, sha256: "a".repeat(64) } },
    ]);
    expect(packages?.[0]?.conda).toBeUndefined();
    expect(packages?.[1]?.sizeBytes).toBe(
      5 + "six.py,,\n".length + "License: BSD\n".length + JSON.stringify(record).length,
    );
  });

  it("take no harm from records of conda that are not what they should be", async () => {
    await write("conda-meta/broken.json", "{");
    await write("conda-meta/list.json", "[1]");
    await write("conda-meta/null.json", "null");
    const odd = JSON.stringify({ name: "odd", version: "1", files: [1, "../../x"], sha256: 5, license: {} });
    await write("conda-meta/odd.json", odd);
    const packages = (await readEnvironmentContents(root))?.packages;
    expect(packages).toEqual([
      { name: "odd", version: "1", licenses: [], sizeBytes: odd.length, conda: { build: "", url: "", sha256: null } },
    ]);
  });
});
