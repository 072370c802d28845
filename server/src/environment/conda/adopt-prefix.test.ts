import { once } from "node:events";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { adoptPrefix } from "./adopt-prefix.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "adopt-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const put = async (path: string, content = "x", mode = 0o600) => {
  const file = join(folder, "made", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  await chmod(file, mode);
};
const adopt = (keepBytecode = false) =>
  adoptPrefix(
    { from: join(folder, "made"), to: join(folder, "ours"), prefixInFiles: "/opt/env", keepBytecode },
    new AbortController().signal,
  );
const ours = (path: string) => join(folder, "ours", path);

it("takes files and folders with plain modes, and no bytecode that is made anew", async () => {
  await put("bin/run", "#!/bin/sh\n", 0o4750);
  await put("lib/a/data", "data", 0o666);
  await put("lib/__pycache__/a.pyc");
  expect(await adopt()).toEqual([]);
  const modes = await Promise.all(
    ["bin/run", "lib/a/data", "lib/a"].map(async (path) => (await lstat(ours(path))).mode & 0o7777),
  );
  expect(modes).toEqual([0o755, 0o644, 0o755]);
  expect(await readdir(ours("lib"))).toEqual(["a"]);
});

it("keeps links that stay inside, by whatever way, and no others", async () => {
  await put("lib/deep/deeper/file");
  const link = (target: string, path: string) => symlink(target, join(folder, "made", path));
  await link("file", "lib/deep/deeper/near");
  await link("../..", "lib/deep/deeper/up");
  await link("deep/deeper/up/deep", "lib/round");
  // Two steps that are harmless each: "up" leads to "lib", from which ".." leads to the root, and one more leads out.
  await link("deep/deeper/up/../../made/../..", "lib/out");
  await link("/etc/passwd", "lib/absolute");
  await link(join(folder, "made", "lib"), "lib/absolute-inside");
  await link("nowhere", "lib/dangling");
  await link("../../other", "lib/sibling");
  await mkdir(join(folder, "made-not"));
  await link("../../made-not", "lib/same-beginning");
  const socket = createServer().listen(join(folder, "made", "lib", "socket"));
  await once(socket, "listening");
  expect(await adopt()).toEqual([
    ...["lib/absolute", "lib/absolute-inside", "lib/dangling", "lib/out", "lib/same-beginning", "lib/sibling"],
    "lib/socket",
  ]);
  socket.close();
  expect(await readlink(ours("lib/round"))).toBe("deep/deeper/up/deep");
  expect(await readlink(ours("lib/deep/deeper/near"))).toBe("file");
});

it("makes scripts name their place in images in one form, and records without the hashes of scripts", async () => {
  const made = join(folder, "made");
  await put("bin/short", `#!${made}/bin/python\nprint(1)\n`, 0o755);
  await put("bin/long", `#!/bin/sh\n'''exec' '${made}/bin/python' "$0" "$@"\n' '''\nprint(1)\n`, 0o755);
  await put("bin/program", `\x7fELF ${made}`, 0o755);
  await put("lib/python3.11/site-packages/a-1.dist-info/RECORD", "../../../bin/short,sha256=x,20\na.py,sha256=y,3\n");
  await adopt();
  const text = (path: string) => readFile(ours(path), "utf8");
  expect(await text("bin/short")).toBe("#!/opt/env/bin/python\nprint(1)\n");
  expect(await text("bin/long")).toBe("#!/opt/env/bin/python\nprint(1)\n");
  expect(await text("bin/program")).toBe(`\x7fELF ${made}`);
  expect(await text("lib/python3.11/site-packages/a-1.dist-info/RECORD")).toBe(
    "../../../bin/short,,\na.py,sha256=y,3\n",
  );
});
