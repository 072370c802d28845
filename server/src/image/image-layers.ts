import { createHash, type Hash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { type Layer, mediaTypes, planTar, type Registry, readTar, withFolders } from "../registry/index.ts";
import { codeFiles } from "./app-folder.ts";
import { modelFolder, type PlannedModel } from "./image.ts";
import type { ImageStore } from "./image-store.ts";

/** Where things lie in the image's file system. Scripts of v1 know the first by heart. */
export const APP_ROOT = "var/azureml-app";
export const ENVIRONMENT_ROOT = "opt/env";

/** The interpreter is the runtime layer's, so the file that leads to this machine's one is left out, as links to it are. */
const NOT_IN_IMAGE = ["pyvenv.cfg"];

export type LayerKind = "environment" | "model" | "code";

export interface ImageLayer {
  readonly kind: LayerKind;
  /** for people: what is in it */
  readonly title: string;
  readonly digest: string;
  readonly reused: boolean;
}

export interface LayerDependencies {
  readonly store: ImageStore;
  readonly registry: Registry;
  readonly blobs: BlobStore;
}

/**
 * The environment, as plain tar, hashed in a thread and never stored: for scikit-learn (217 MB, 4,600 files) that takes a third of
 * a second, gzip over two cores 1.4 s and 70 MB of disk (measured); a pull makes it again from the tree.
 */
export async function environmentLayer(
  deps: LayerDependencies,
  environment: { readonly id: string; readonly root: string },
  signal: AbortSignal,
): Promise<ImageLayer> {
  const title = `environment ${environment.id.slice(0, 12)}`;
  return once(deps, "environment", title, `environment:${environment.id}`, () =>
    deps.registry.addTreeLayer({ root: environment.root, at: ENVIRONMENT_ROOT, leaveOut: NOT_IN_IMAGE }, signal),
  );
}

/** One layer per model, not compressed: model files are dense already, and their blobs serve the pull. */
export async function modelLayer(
  deps: LayerDependencies,
  model: PlannedModel,
  signal: AbortSignal,
): Promise<ImageLayer> {
  const files = model.files.map((file) => ({
    name: `${APP_ROOT}/${modelFolder(model)}/${file.path}`,
    digest: file.digest,
    sizeBytes: file.sizeBytes,
  }));
  const content = `model:${createHash("sha256").update(JSON.stringify(files)).digest("hex")}`;
  return once(deps, "model", `model ${model.id}`, content, () => deps.registry.addFilesLayer(files, signal));
}

/** Driver and user's code, compressed and stored: small, and the only layer that a change of score.py makes anew. */
export async function codeLayer(
  deps: LayerDependencies,
  app: { readonly root: string; readonly key: string },
  signal: AbortSignal,
): Promise<ImageLayer> {
  return once(deps, "code", "code", `code:${app.key}`, async () => {
    const entries = await Promise.all(
      (await codeFiles(app.root)).map(async (path) => {
        const { size, mode } = await stat(join(app.root, path));
        return {
          type: "file" as const,
          name: `${APP_ROOT}/${path}`,
          path: join(app.root, path),
          sizeBytes: size,
          executable: (mode & 0o111) !== 0,
        };
      }),
    );
    const diff = createHash("sha256");
    const tar = Readable.from(hashed(readTar(await planTar(withFolders(entries))), diff));
    const gzip = createGzip({ level: 6 });
    tar.on("error", (error) => gzip.destroy(error));
    const { digest, sizeBytes } = await deps.blobs.put(tar.pipe(gzip), { signal });
    const diffId = `sha256:${diff.digest("hex")}`;
    return deps.registry.addStoredLayer({ digest, diffId, mediaType: mediaTypes.layerGzip, sizeBytes });
  });
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Makes a layer only if none was made from the same content before. */
async function once(
  deps: LayerDependencies,
  kind: LayerKind,
  title: string,
  content: string,
  make: () => Promise<Layer>,
): Promise<ImageLayer> {
  const known = await deps.store.findLayer(content);
  if (known !== undefined && (await isWhole(deps, known))) return { kind, title, digest: known, reused: true };
  const { digest } = await make();
  await deps.store.rememberLayer(content, digest);
  return { kind, title, digest, reused: false };
}

async function isWhole(deps: LayerDependencies, digest: string): Promise<boolean> {
  const layer = await deps.registry.findLayer(digest);
  return layer !== undefined && (layer.source.type !== "blob" || (await deps.blobs.has(digest)));
}
