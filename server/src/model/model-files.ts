import { posix } from "node:path";
import { type ArtifactReader, checkArtifactPath, parseArtifactId } from "../artifact/index.ts";
import type { Asset, ModelFile } from "./model.ts";
import { modelFileEmpty, modelFilesConflict } from "./model-errors.ts";

/** Files that are empty on purpose. Any other of 0 bytes is what a full disk or a broken copy leaves behind. */
const EMPTY_BY_CONVENTION = /(^|\/)(__init__\.py|py\.typed|_SUCCESS|\.[^/]+)$/;

/**
 * The files of an asset where a model has them: below the folder that holds the prefix's last part, as the genuine client
 * lays them out on download (wire contract 6.2, 13.1).
 */
export async function modelFiles(artifacts: ArtifactReader, asset: Asset): Promise<ModelFile[]> {
  const files: ModelFile[] = [];
  for (const part of asset.artifacts) {
    const place = parseArtifactId("prefix" in part ? part.prefix : part.id);
    const found = await artifacts.resolve(asset.workspaceId, "prefix" in part ? part.prefix : part.id);
    const stripped = parentLength(place.path);
    for (const { path, digest, sizeBytes } of found) {
      files.push({ path: checkArtifactPath(path.slice(stripped)), digest, sizeBytes });
    }
  }
  files.sort((left, right) => (left.path < right.path ? -1 : 1));
  refuseConflicts(files);
  return files;
}

/** @throws {AppError} ModelFileEmpty naming the files */
export function refuseEmptyFiles(files: readonly ModelFile[]): void {
  const empty = files.filter((file) => file.sizeBytes === 0).map((file) => file.path);
  const broken = files.length === empty.length ? empty : empty.filter((path) => !EMPTY_BY_CONVENTION.test(path));
  if (broken.length > 0) throw modelFileEmpty(broken);
}

function parentLength(path: string): number {
  const parent = posix.dirname(path);
  return parent === "." ? 0 : parent.length + 1;
}

function refuseConflicts(files: readonly ModelFile[]): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    if (paths.has(path)) throw modelFilesConflict(path);
    paths.add(path);
  }
  for (const path of paths) {
    for (let folder = posix.dirname(path); folder !== "."; folder = posix.dirname(folder)) {
      if (paths.has(folder)) throw modelFilesConflict(folder);
    }
  }
}
