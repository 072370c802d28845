import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseLock } from "../../environment/index.ts";
import { condaPackages } from "./conda-packages.ts";
import { type FoundPackage, plainStats } from "./found-package.ts";
import { wheelPackages } from "./wheel-packages.ts";

/** A package of an environment. */
export interface InstalledPackage extends Omit<FoundPackage, "files"> {
  /** of its files and of the bytecode made from them; null if the package does not say which are its */
  readonly sizeBytes: number | null;
}

/** What an environment's tree consists of. */
export interface EnvironmentContents {
  /** sorted by name */
  readonly packages: readonly InstalledPackage[];
  /** of all plain files of the tree; null if nobody looked at it */
  readonly sizeBytes: number | null;
}

const STATS_AT_ONCE = 64;

/**
 * Reads which packages an environment has, and how large each is. Their own records say which files are whose; the sizes are those
 * of the files themselves, since a record says what its author likes.
 *
 * @returns undefined if there is no such tree (any more)
 */
export async function readEnvironmentContents(root: string): Promise<EnvironmentContents | undefined> {
  if (!(await plainStats(join(root, "lib")))?.isDirectory()) return undefined;
  const found = await packagesOf(root);
  const owners = new Map<string, number>();
  for (const [index, { files }] of found.entries()) {
    for (const path of files ?? []) if (!owners.has(path)) owners.set(path, index);
  }
  const sizes = found.map(() => 0);
  let sizeBytes = 0;
  for await (const [path, size] of treeFiles(root)) {
    sizeBytes += size;
    const owner = owners.get(path) ?? owners.get(sourceOf(path) ?? "");
    if (owner !== undefined) sizes[owner] = (sizes[owner] ?? 0) + size;
  }
  const packages = found.map(({ files, ...item }, index) => ({
    ...item,
    sizeBytes: files === null ? null : (sizes[index] ?? 0),
  }));
  return { packages, sizeBytes };
}

/** What a lock alone says of the environment that it was made for. */
export function lockedContents(lock: string): EnvironmentContents {
  const packages = parseLock(lock).map(({ name, version }) => ({ name, version, licenses: [], sizeBytes: null }));
  return { packages, sizeBytes: null };
}

/** A Python package that conda installed is one package, not two. */
async function packagesOf(root: string): Promise<FoundPackage[]> {
  const conda = await condaPackages(root);
  const taken = new Set(conda.flatMap(({ files }) => files ?? []));
  const wheels = await wheelPackages(root);
  const own = wheels.filter(({ folder }) => !taken.has(`${folder}/METADATA`)).map(({ folder: _, ...item }) => item);
  return [...conda, ...own].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** Bytecode that was compiled here is in no record; it belongs to whom its source belongs. */
function sourceOf(path: string): string | undefined {
  const [, folder, module] = /^(.*?)__pycache__\/([^/]+?)\.[^/]*\.pyc$/.exec(path) ?? [];
  return folder === undefined ? undefined : `${folder}${module}.py`;
}

async function* treeFiles(root: string): AsyncIterable<readonly [path: string, sizeBytes: number]> {
  const left = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry: Dirent) =>
    entry.isFile(),
  );
  while (left.length > 0) {
    const some = left.splice(-STATS_AT_ONCE);
    const paths = some.map((entry) => join(entry.parentPath, entry.name));
    const stats = await Promise.all(paths.map(plainStats));
    for (const [index, path] of paths.entries()) yield [path.slice(root.length + 1), stats[index]?.size ?? 0];
  }
}
