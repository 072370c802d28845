import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, realpathSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { imagePaths } from "@slipway/api";
import { scorerMain } from "@slipway/scoring";
import { pack } from "tar-stream";
import { ownArchitecture } from "../../../platform/architecture.ts";
import type { ImageBlob, ImageBlobs } from "../../../platform/engine/image-archive.ts";

const run = promisify(execFile);

export interface MachineImage {
  /** an image like it with this driver, and perhaps another program than the scorer */
  withScript(script: string, entrypoint?: readonly string[]): Promise<ImageBlobs>;
  close(): Promise<void>;
}

const ENTRYPOINT = [imagePaths.node, "--conditions=slipway-source", `${imagePaths.runtime}/scoring/src/main.ts`];

/**
 * An image of this machine's own Python, Node and scorer: real enough for an engine, made in a second, from no network. What the
 * builder makes is tried elsewhere.
 */
export async function machineImage(): Promise<MachineImage> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-machine-image-"));
  const base = join(folder, "base.tar");
  const tree = join(folder, "tree");
  await layOutScorer(tree);
  const python = await pythonFiles();
  const programs = [process.execPath, python.program, realpathSync("/bin/sh")];
  const libraries = await librariesOf([...programs, ...python.extensions]);
  await writeLinks(tree, python.program);
  const files = [python.program, python.library, realpathSync("/bin/sh"), ...libraries].map(withUsr);
  await run("tar", ["-cf", base, "--owner=0", "--group=0", "-C", tree, "."]);
  // Two passes: links of ours stay links, what the machine has is taken whole.
  await run("tar", ["-rf", base, "-h", "--owner=0", "--group=0", "--exclude=test", "-C", "/", ...new Set(files)]);
  const baseLayer = await fileBlob(base);
  await rm(tree, { recursive: true });

  return {
    async withScript(script, entrypoint = ENTRYPOINT) {
      const code = await scriptLayer(script);
      const config = json({
        architecture: ownArchitecture(),
        os: "linux",
        config: { Entrypoint: entrypoint, WorkingDir: imagePaths.appRoot, User: "1000:1000" },
        rootfs: { type: "layers", diff_ids: [baseLayer.digest, code.digest] },
      });
      const described = ({ digest, size }: ImageBlob, kind: string) => ({
        mediaType: `application/vnd.oci.image.${kind}`,
        digest,
        size,
      });
      const mediaType = "application/vnd.oci.image.manifest.v1+json";
      const manifest = json({
        schemaVersion: 2,
        mediaType,
        config: described(config, "config.v1+json"),
        layers: [baseLayer, code].map((layer) => described(layer, "layer.v1.tar")),
      });
      return { manifest: { ...manifest, mediaType }, config, layers: [baseLayer, code] };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function layOutScorer(tree: string): Promise<void> {
  const runtime = join(tree, imagePaths.runtime);
  const source = dirname(dirname(dirname(scorerMain)));
  for (const name of ["api", "scoring", "python"]) {
    const to = join(runtime, name);
    await cp(join(source, name), to, {
      recursive: true,
      filter: (path) => !/\/(dist|node_modules|__pycache__|\.venv)$/.test(path),
    });
    await mkdir(join(runtime, "node_modules", "@slipway"), { recursive: true });
    await symlink(`../../${name}`, join(runtime, "node_modules", "@slipway", name));
  }
  const resolve = createRequire(scorerMain).resolve;
  for (const name of ["typebox", "@bufbuild/protobuf"]) {
    const [, packageRoot = ""] = new RegExp(`^(.*/node_modules/${name})/`).exec(resolve(name)) ?? [];
    await cp(packageRoot, join(runtime, "node_modules", name), { recursive: true });
  }
  await mkdir(join(runtime, "bin"));
  await cp(process.execPath, imageFile(tree, imagePaths.node));
}

async function writeLinks(tree: string, python: string): Promise<void> {
  const environment = join(tree, imagePaths.environment, "bin");
  await mkdir(environment, { recursive: true });
  await symlink(withSlash(withUsr(python)), join(environment, "python"));
  for (const name of ["bin", "lib", "lib64"]) {
    await mkdir(join(tree, "usr", name), { recursive: true });
    await symlink(`usr/${name}`, join(tree, name));
  }
  const shell = withUsr(realpathSync("/bin/sh"));
  if (shell !== "usr/bin/sh") await symlink(`/${shell}`, join(tree, "usr", "bin", "sh"));
  await mkdir(join(tree, "tmp"));
  await chmod(join(tree, "tmp"), 0o1777);
  for (const name of ["run/slipway", "proc", "sys", "dev", "etc"]) await mkdir(join(tree, name), { recursive: true });
  await writeFile(join(tree, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}

/** The machine's interpreter, its standard library, and the parts of that which are compiled. */
async function pythonFiles() {
  const code =
    "import os, sys, sysconfig; print(os.path.realpath(sys.executable)); print(sysconfig.get_path('stdlib'))";
  const [program = "", library = ""] = (await run("/usr/bin/python3", ["-c", code])).stdout.trim().split("\n");
  const compiled = join(library, "lib-dynload");
  const extensions = (await readdir(compiled))
    .filter((name) => name.endsWith(".so"))
    .map((name) => join(compiled, name));
  return { program, library, extensions };
}

async function librariesOf(programs: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run("ldd", [...programs], { maxBuffer: 16 * 1024 * 1024 });
  return [...new Set([...stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map((found) => found[1] ?? ""))];
}

/** `/lib/…` and `/bin/…` are links into `/usr`; paths for tar have no slash at the beginning. */
function withUsr(path: string): string {
  return path.replace(/^\/(usr\/)?(bin|lib|lib64)\//, "usr/$2/").replace(/^\//, "");
}

function withSlash(path: string): string {
  return `/${path}`;
}

function imageFile(tree: string, path: string): string {
  return join(tree, path);
}

async function fileBlob(file: string): Promise<ImageBlob> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  const { size } = await stat(file);
  return { digest: `sha256:${hash.digest("hex")}`, size, read: () => createReadStream(file) };
}

async function scriptLayer(script: string): Promise<ImageBlob> {
  const tar = pack();
  tar.entry({ name: `${imagePaths.appRoot.slice(1)}/score.py`, mode: 0o644, mtime: new Date(0) }, script);
  tar.finalize();
  return memoryBlob(await buffer(tar));
}

function json(value: unknown): ImageBlob {
  return memoryBlob(Buffer.from(JSON.stringify(value)));
}

function memoryBlob(bytes: Buffer): ImageBlob {
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
    async *read() {
      yield bytes;
    },
  };
}
