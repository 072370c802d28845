import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { imagePaths } from "@slipway/api";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { type Layer, mediaTypes, type Registry, readTar, type TarEntry, withFolders } from "../registry/index.ts";
import { codeFiles } from "./app-folder.ts";
import type { ResolvedBase } from "./base/base-image.ts";
import { addConfigurationLayer, type ConfigurationMembers, membersKey } from "./configuration-layer.ts";
import { modelFolder, type PlannedModel } from "./image.ts";
import type { ImageStore } from "./image-store.ts";
import type { RuntimeTree } from "./runtime/runtime-tree.ts";
import type { CopiedFile } from "./steps/docker-steps-copy.ts";

/** In the image's file system, as members of a tar are named. */
const APP_ROOT = imagePaths.appRoot.slice(1);
const ENVIRONMENT_ROOT = imagePaths.environment.slice(1);
const RUNTIME_ROOT = imagePaths.runtime.slice(1);

/**
 * What would lead to this machine: the interpreter is the base's, and the record of a tree says which release of Python made it.
 */
const NOT_IN_IMAGE = ["pyvenv.cfg", "environment.json"];

export type LayerKind = "base" | "steps" | "runtime" | "environment" | "model" | "code" | "configuration";

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

/** The layers of the base, as they are. */
export function baseLayers(base: ResolvedBase): ImageLayer[] {
  return base.layers.map(({ digest }) => ({ kind: "base", title: `base ${base.reference}`, digest, reused: true }));
}

/** Programs of Slipway's own, as plain tar that is made again from its tree. */
export async function runtimeLayer(
  deps: LayerDependencies,
  title: string,
  tree: RuntimeTree,
  signal: AbortSignal,
): Promise<ImageLayer> {
  return once(deps, "runtime", title, `runtime:${tree.key}`, () =>
    deps.registry.addTreeLayer({ root: tree.root, at: RUNTIME_ROOT, leaveOut: [] }, signal),
  );
}

export async function configurationLayer(
  deps: LayerDependencies,
  members: ConfigurationMembers,
  signal: AbortSignal,
): Promise<ImageLayer> {
  return once(deps, "configuration", "configuration", `configuration:${membersKey(members)}`, () =>
    addConfigurationLayer(deps, members, signal),
  );
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
  return once(deps, "environment", title, `environment-2:${environment.id}`, () =>
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

/**
 * Driver and user's code: small, and the only layer that a change of score.py makes anew. Not compressed, as no layer of ours is:
 * what zlib makes of the same bytes is not the same on every processor and in every release.
 */
export async function codeLayer(
  deps: LayerDependencies,
  app: { readonly root: string; readonly key: string },
  signal: AbortSignal,
): Promise<ImageLayer> {
  return once(deps, "code", "code", `code-tar:${app.key}`, async () => {
    const files = (await codeFiles(app.root)).map((path) => ({ source: path, name: `${APP_ROOT}/${path}` }));
    return storedLayer(deps, withFolders(await codeEntries(app.root, files)), signal);
  });
}

/**
 * What Docker steps copy. Only the files themselves: the folders above may be links in the base (`/bin`, `/lib`), which an entry of ours
 * would take away.
 */
export async function copiedLayer(
  deps: LayerDependencies,
  app: { readonly root: string; readonly key: string },
  copied: readonly CopiedFile[],
  kind: "steps" | "code",
  signal: AbortSignal,
): Promise<ImageLayer> {
  const places = createHash("sha256").update(JSON.stringify(copied)).digest("hex");
  const title = kind === "code" ? "docker steps" : "steps COPY";
  return once(deps, kind, title, `docker-steps:${app.key}:${places}`, async () =>
    storedLayer(deps, await codeEntries(app.root, copied), signal),
  );
}

async function codeEntries(root: string, files: readonly CopiedFile[]): Promise<TarEntry[]> {
  return Promise.all(
    files.map(async ({ source, name }): Promise<TarEntry> => {
      const { size, mode } = await stat(join(root, source));
      return { type: "file", name, path: join(root, source), sizeBytes: size, executable: (mode & 0o111) !== 0 };
    }),
  );
}

async function storedLayer(deps: LayerDependencies, entries: readonly TarEntry[], signal: AbortSignal): Promise<Layer> {
  const tar = Readable.from(readTar(entries));
  const { digest, sizeBytes } = await deps.blobs.put(tar, { signal });
  return deps.registry.addStoredLayer({ digest, diffId: digest, mediaType: mediaTypes.layer, sizeBytes });
}

/** Makes a layer only if none was made from the same content before. */
export async function once(
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
