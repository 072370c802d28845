import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, realpathSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, stat, symlink } from "node:fs/promises";
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
import { writeMachineTar } from "../../../platform/testing/machine-tar.ts";

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
  const scorer = join(folder, "scorer.tar");
  const tree = join(folder, "tree");
  await writeMachineTar(base);
  await layOutScorer(tree);
  await run("tar", ["--create", "--file", scorer, "--owner=0", "--group=0", "--directory", tree, "."]);
  await rm(tree, { recursive: true });
  const lower = [await fileBlob(base), await fileBlob(scorer)];

  return {
    async withScript(script, entrypoint = ENTRYPOINT) {
      const layers = [...lower, await scriptLayer(script)];
      const config = json({
        architecture: ownArchitecture(),
        os: "linux",
        config: { Entrypoint: entrypoint, WorkingDir: imagePaths.appRoot, User: "1000:1000" },
        rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
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
        layers: layers.map((layer) => described(layer, "layer.v1.tar")),
      });
      return { manifest: { ...manifest, mediaType }, config, layers };
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
  await cp(process.execPath, join(tree, imagePaths.node));
  const environment = join(tree, imagePaths.environment, "bin");
  await mkdir(environment, { recursive: true });
  await symlink(realpathSync("/usr/bin/python3"), join(environment, "python"));
  await mkdir(join(tree, imagePaths.run), { recursive: true });
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
