// An image as a folder (OCI image specification, "Image Layout"), and the way from there into a registry.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { ImagePush, PushedContent } from "../../server/src/registry/remote/index.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Packs a folder with nothing in it that depends on when, where or by whom it was made. */
export async function addLayer(layout: string, root: string): Promise<Descriptor & { readonly diffId: string }> {
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const file = join(layout, "layer.incoming");
  const order = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"];
  const tar = spawn("tar", ["--create", ...order, "--directory", root, "."], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => tar.on("close", resolve));
  const [diff, digest] = [createHash("sha256"), createHash("sha256")];
  await pipeline(tar.stdout, passing(diff), createGzip({ level: 9 }), passing(digest), createWriteStream(file));
  if ((await ended) !== 0) throw new Error("tar could not pack the file system.");
  const hex = digest.digest("hex");
  renameSync(file, join(layout, "blobs/sha256", hex));
  const { size } = statSync(join(layout, "blobs/sha256", hex));
  return { mediaType: LAYER, digest: `sha256:${hex}`, size, diffId: `sha256:${diff.digest("hex")}` };
}

export function addImage(
  layout: string,
  platform: NonNullable<Descriptor["platform"]>,
  layer: Awaited<ReturnType<typeof addLayer>>,
  settings: { readonly title: string; readonly user: string },
): Descriptor {
  const { diffId, ...described } = layer;
  const config = addDocument(layout, CONFIG, {
    ...platform,
    config: { Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"], User: settings.user, Cmd: ["python3"] },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created_by: settings.title }],
  });
  const annotations = { "org.opencontainers.image.title": settings.title };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers: [described], annotations };
  return { ...addDocument(layout, MANIFEST, manifest), platform };
}

/** Several architectures under one name. */
export function addIndex(layout: string, manifests: readonly Descriptor[]): Descriptor {
  const index = { schemaVersion: 2, mediaType: INDEX, manifests };
  const described = addDocument(layout, INDEX, index);
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  // Written last: a layout without it is not whole.
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
  return described;
}

function addDocument(layout: string, mediaType: string, document: unknown): Descriptor {
  const bytes = Buffer.from(JSON.stringify(document));
  const hex = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(layout, "blobs/sha256", hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

/** Brings the whole image into a registry: blobs first, then manifests, the index under its tag last. */
export async function pushLayout(layout: string, push: ImagePush, signal: AbortSignal): Promise<Descriptor> {
  const path = (digest: string) => join(layout, "blobs/sha256", digest.slice("sha256:".length));
  const content = ({ mediaType, digest, size }: Descriptor): PushedContent => ({
    ...{ mediaType, digest, size },
    read: (range) => createReadStream(path(digest), range),
  });
  const bytes = readFileSync(join(layout, "index.json"));
  const { manifests } = JSON.parse(bytes.toString()) as { manifests: Descriptor[] };
  for (const manifest of manifests) {
    const { config, layers } = JSON.parse(readFileSync(path(manifest.digest), "utf8")) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    for (const part of [...layers, config]) await push.blob(content(part), signal);
    await push.manifest(content(manifest), signal, false);
  }
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const index = { mediaType: INDEX, digest, size: bytes.length };
  await push.manifest(content(index), signal);
  return index;
}

function passing(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
