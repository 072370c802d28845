import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { access, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { pack } from "tar-stream";
import { ownArchitecture } from "../../platform/architecture.ts";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { mediaTypes, type Registry, type Repository } from "../../registry/index.ts";

const run = promisify(execFile);

/** What a base needs: a shell, Python, and the libraries of both and of Node. */
const PYTHON = "/usr/bin/python3.11";
const LIBRARY_FOLDER = "/usr/lib/python3.11";

export const MACHINE_PYTHON = "3.11";

export async function hasMachinePython(): Promise<boolean> {
  return access(PYTHON).then(
    () => true,
    () => false,
  );
}

/** Puts a base into a repository that nobody can run: of any architecture, with an interpreter by name only. */
export async function pushForeignBase(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
  architecture: string,
  interpreter = "a program",
): Promise<void> {
  const tar = pack();
  tar.entry({ name: PYTHON.slice(1), mtime: new Date(0), mode: 0o755 }, interpreter);
  tar.finalize();
  await pushLayer({ registry, blobs }, repository, tag, architecture, Readable.from([await buffer(tar)]));
}

/** Makes a base of this machine's own files, in seconds and without a network, and puts it into a repository. */
export async function pushMachineBase(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-base-"));
  try {
    const tar = join(folder, "base.tar");
    await writeTar(folder, tar);
    await pushLayer({ registry, blobs }, repository, tag, ownArchitecture(), createReadStream(tar));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pushLayer(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
  architecture: string,
  tar: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { digest, sizeBytes } = await blobs.put(tar);
  const config = await registry.putDocument(mediaTypes.config, {
    ...{ os: "linux", architecture },
    config: { Env: ["PATH=/usr/bin:/bin", "FROM_BASE=yes"], User: "", Cmd: ["python3"] },
    rootfs: { type: "layers", diff_ids: [digest] },
  });
  const layer = { mediaType: mediaTypes.layer, digest, size: sizeBytes };
  const manifest = await registry.putDocument(mediaTypes.manifest, {
    ...{ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] },
  });
  await registry.tagManifest(repository, tag, manifest, [config, layer]);
}

async function writeTar(folder: string, tar: string): Promise<void> {
  const root = join(folder, "root");
  for (const path of ["etc", "tmp", "run", "proc", "sys", "dev", "var", "usr/lib64"]) {
    await mkdir(join(root, path), { recursive: true });
  }
  for (const name of ["bin", "lib", "lib64", "sbin"]) await symlink(`usr/${name}`, join(root, name));
  await writeFile(join(root, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
  const programs = ["/bin/sh", PYTHON, process.execPath];
  const files = [
    "usr/bin/sh",
    "usr/bin/dash",
    PYTHON.slice(1),
    LIBRARY_FOLDER.slice(1),
    ...(await libraries(programs)),
  ];
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rwX,go+rX"];
  await run("tar", ["--create", "--file", tar, ...same, "--directory", root, ".", "--directory", "/", ...files]);
  await run("tar", ["--delete", "--file", tar, "./tmp/"]);
  await run("tar", ["--append", "--file", tar, "--mtime=@0", "--mode=1777", "--directory", root, "./tmp"]);
}

/** Paths without their first slash; links and what they lead to. */
async function libraries(programs: readonly string[]): Promise<string[]> {
  const modules = await run("find", [`${LIBRARY_FOLDER}/lib-dynload`, "-name", "*.so"]);
  const { stdout } = await run("ldd", [...programs, ...modules.stdout.trim().split("\n")]);
  const found = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+)/gm)].map(([, path]) => path ?? "");
  const { stdout: real } = await run("realpath", [...new Set(found)]);
  const inUsr = found.map((path) => path.replace(/^\/(lib|lib64)\//, "/usr/$1/"));
  return [...new Set([...inUsr, ...real.trim().split("\n")])].map((path) => path.slice(1)).sort();
}
