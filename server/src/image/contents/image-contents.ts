import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Registry } from "../../registry/index.ts";
import { type AppFolders, codeFiles } from "../app-folder.ts";
import type { BaseContents } from "../base/base-contents.ts";
import type { BuiltImage, Image, ImageProof } from "../image.ts";
import type { InstalledPackage } from "../proof/environment-contents.ts";
import type { ImageProofs } from "../proof/image-proofs.ts";
import { readStoredManifest, type StoredLayer, type StoredManifest } from "../stored-manifest.ts";

/** What a built image consists of, for people and for comparing two of them. */
export interface ImageContents {
  readonly imageId: string;
  /** of the manifest */
  readonly digest: string;
  readonly runtime: "python" | "onnx";
  readonly driver: string | null;
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  /** X.Y.Z; null for an image without Python of its own */
  readonly python: string | null;
  readonly base: { readonly reference: string; readonly digest: string; readonly contents: BaseContents } | null;
  /** lowest first */
  readonly layers: readonly ContentsLayer[];
  readonly environment: {
    readonly id: string;
    /** of all files; null if it is not known */
    readonly sizeBytes: number | null;
    /** sorted by name */
    readonly packages: readonly InstalledPackage[];
  } | null;
  readonly models: readonly {
    readonly id: string;
    readonly name: string;
    readonly version: number;
    readonly files: number;
    readonly sizeBytes: number;
  }[];
  /** the user's files, sorted by path */
  readonly code: readonly CodeFile[];
  /** those of the request; all that are set are in `configuration` */
  readonly environmentVariables: Readonly<Record<string, string>>;
  readonly configuration: StoredManifest["configuration"];
  readonly proofs: readonly ImageProof[];
}

export interface ContentsLayer extends StoredLayer {
  /** how many other images of the workspace have it, too */
  readonly sharedWith: number;
}

export interface CodeFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

export interface ContentsDependencies {
  readonly registry: Registry;
  readonly folders: AppFolders;
  readonly proofs: ImageProofs;
}

/** @param digest of the image's manifest */
export async function contentsOf(
  deps: ContentsDependencies,
  image: Image,
  built: BuiltImage,
  digest: string,
  signal: AbortSignal,
): Promise<ImageContents> {
  const { plan } = built;
  const manifest = await readStoredManifest(deps.registry, image, digest);
  const { environmentRoot: root, environmentId = image.properties["slipway.environment"], lockDigest } = built;
  const environment =
    environmentId === undefined || environmentId === null || root === null
      ? null
      : { id: environmentId, ...(await deps.proofs.contentsOf({ id: environmentId, root, lockDigest })) };
  return {
    imageId: image.id,
    digest,
    runtime: plan.runtime,
    driver: plan.driver,
    architecture: manifest.architecture,
    python: image.properties["slipway.python"] ?? null,
    base: manifest.base && { ...manifest.base, contents: await deps.proofs.baseContentsOf(image, manifest, signal) },
    layers: await layersOf(deps.registry, image, manifest),
    environment,
    models: plan.models.map(({ id, name, version, files }) => ({
      ...{ id, name, version, files: files.length },
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    })),
    code: plan.runtime === "python" ? await codeOf((await deps.folders.layOut(plan, signal)).root) : [],
    environmentVariables: image.environmentVariables,
    configuration: manifest.configuration,
    proofs: built.proofs ?? [],
  };
}

async function layersOf(registry: Registry, image: Image, { layers }: StoredManifest): Promise<ContentsLayer[]> {
  const digests = layers.map((layer) => layer.digest);
  const users = await registry.countUsers(image.workspaceId, digests);
  return layers.map((layer) => ({ ...layer, sharedWith: Math.max(0, (users.get(layer.digest) ?? 0) - 1) }));
}

async function codeOf(root: string): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  for (const path of await codeFiles(root)) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(root, path)), hash);
    files.push({ path, sizeBytes: (await stat(join(root, path))).size, digest: `sha256:${hash.digest("hex")}` });
  }
  return files;
}
