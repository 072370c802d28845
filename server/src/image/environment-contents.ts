import type { Dirent, Stats } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { join, normalize } from "node:path";
import { parseLock } from "../environment/index.ts";
import { licensesIn, MAX_METADATA_BYTES } from "./package-metadata.ts";

/** One installed Python package. */
export interface InstalledPackage {
  /** as package indexes compare names: lower case, single dashes */
  readonly name: string;
  readonly version: string;
  /** SPDX identifiers or expressions where the author used them; empty if the package does not say */
  readonly licenses: readonly string[];
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

/** Real ones are below 2 MiB. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;
const STATS_AT_ONCE = 64;

/**
 * Reads who owns which file of an environment from its packages' RECORD files. The sizes are those of the files themselves:
 * RECORD was written by whoever made the package.
 *
 * @returns undefined if there is no such tree (any more)
 */
export async function readEnvironmentContents(root: string): Promise<EnvironmentContents | undefined> {
  if (!(await plainStats(join(root, "lib")))?.isDirectory()) return undefined;
  const owners = new Map<string, number>();
  const found: { readonly name: string; readonly version: string; readonly licenses: readonly string[] }[] = [];
  const known: boolean[] = [];
  for (const folder of await distributionFolders(root)) {
    const licenses = licensesIn(
      (await readStart(join(root, folder.path, "METADATA"), MAX_METADATA_BYTES)) ?? new Uint8Array(),
    );
    const index = found.push({ name: folder.name, version: folder.version, licenses }) - 1;
    const record = await readStart(join(root, folder.path, "RECORD"), MAX_RECORD_BYTES + 1);
    known[index] = record !== undefined && record.length <= MAX_RECORD_BYTES;
    if (record === undefined || !known[index]) continue;
    for (const path of recordedPaths(record)) {
      const inTree = normalize(join(folder.path, "..", path));
      if (!owners.has(inTree)) owners.set(inTree, index);
    }
  }
  const sizes = found.map(() => 0);
  let sizeBytes = 0;
  for await (const [path, size] of treeFiles(root)) {
    sizeBytes += size;
    const owner = owners.get(path) ?? owners.get(sourceOf(path) ?? "");
    if (owner !== undefined) sizes[owner] = (sizes[owner] ?? 0) + size;
  }
  const packages = found.map((item, index) => ({ ...item, sizeBytes: known[index] ? (sizes[index] ?? 0) : null }));
  return { packages, sizeBytes };
}

/** What a lock alone says of the environment that it was made for. */
export function lockedContents(lock: string): EnvironmentContents {
  const packages = parseLock(lock).map(({ name, version }) => ({ name, version, licenses: [], sizeBytes: null }));
  return { packages, sizeBytes: null };
}

/** `lib/python3.11/site-packages/NAME-VERSION.dist-info`: installers compare its name with the archive's, so it tells the truth. */
async function distributionFolders(root: string) {
  const pythons = (await readdir(join(root, "lib"))).filter((name) => /^python3\.\d+$/.test(name)).sort();
  const found = [];
  for (const python of pythons) {
    const packages = `lib/${python}/site-packages`;
    for (const entry of await readdir(join(root, packages), { withFileTypes: true })) {
      const [, name, version] = /^(.{1,200}?)-([^-]{1,200})\.dist-info$/.exec(entry.name) ?? [];
      if (!entry.isDirectory() || name === undefined || version === undefined) continue;
      found.push({ path: `${packages}/${entry.name}`, name: name.toLowerCase().replace(/[-_.]+/g, "-"), version });
    }
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** The first bytes of a plain file; undefined if there is none. */
async function readStart(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  if (!(await plainStats(file))?.isFile()) return undefined;
  const handle = await open(file, "r");
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of handle.createReadStream({ autoClose: false, end: maxBytes - 1 })) chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    await handle.close();
  }
}

/** Links are not followed: nothing outside the tree is read. */
function plainStats(file: string): Promise<Stats | undefined> {
  return lstat(file).catch(() => undefined);
}

/** First column of the CSV that the binary distribution format has; names with a comma are in quotes. */
function* recordedPaths(record: Uint8Array): Iterable<string> {
  for (const line of Buffer.from(record).toString("utf8").split(/\r?\n/)) {
    const [, quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^,]*)),/.exec(line) ?? [];
    const path = quoted?.replaceAll('""', '"') ?? plain;
    if (path !== undefined && path !== "") yield path;
  }
}

/** Bytecode that was compiled here is in no RECORD; it belongs to whom its source belongs. */
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
