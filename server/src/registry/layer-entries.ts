import { readdirSync, readlinkSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { TarEntry } from "./layer-tar.ts";
import type { LayerFile } from "./registry.ts";

/**
 * What lies below a root: relative path with its size and whether it may be run; a folder has no size; a link has its target.
 */
export type TreeListing = readonly (
  | readonly [path: string, sizeBytes: number | null, executable: 0 | 1]
  | readonly [path: string, target: string]
)[];

/**
 * Files, folders, and links that stay inside. Links that lead out of the tree, or begin at the root, would mean something else in
 * an image, and special files are of no use there. Synchronous: only for a thread of its own.
 *
 * @param leaveOut paths relative to `root`
 */
export function listTree(root: string, leaveOut: readonly string[]): TreeListing {
  const skipped = new Set(leaveOut);
  const listing: TreeListing[number][] = [];
  function list(folder: string, prefix: string): void {
    for (const child of readdirSync(folder, { withFileTypes: true })) {
      const path = `${prefix}${child.name}`;
      if (skipped.has(path)) continue;
      if (child.isDirectory()) {
        listing.push([path, null, 1]);
        list(join(folder, child.name), `${path}/`);
      } else if (child.isSymbolicLink()) {
        const target = readlinkSync(join(folder, child.name));
        if (staysInside(path, target)) listing.push([path, target]);
      } else if (child.isFile()) {
        const { size, mode } = statSync(join(folder, child.name));
        listing.push([path, size, (mode & 0o111) === 0 ? 0 : 1]);
      }
    }
  }
  list(root, "");
  return listing;
}

function staysInside(path: string, target: string): boolean {
  return !target.startsWith("/") && !normalize(join(dirname(path), target)).startsWith("..");
}

export function treeLayerEntries(
  tree: { readonly root: string; readonly at: string },
  listing: TreeListing,
): TarEntry[] {
  return withFolders(
    listing.map((listed) => {
      const name = `${tree.at}/${listed[0]}`;
      if (typeof listed[1] === "string") return { type: "link", name, target: listed[1] };
      const [path, sizeBytes, executable] = listed as readonly [string, number | null, 0 | 1];
      if (sizeBytes === null) return { type: "directory", name };
      return { type: "file", name, path: join(tree.root, path), sizeBytes, executable: executable === 1 };
    }),
  );
}

export function filesEntries(files: readonly LayerFile[], blobs: BlobStore): TarEntry[] {
  return withFolders(
    files.map(({ name, digest, sizeBytes }) => ({
      type: "file",
      name,
      path: blobs.path(digest),
      sizeBytes,
      executable: false,
    })),
  );
}

/** Adds the folders that lead to the entries and sorts everything by its bytes, so that each comes after its folder. */
export function withFolders(entries: readonly TarEntry[]): TarEntry[] {
  const all = new Map<string, TarEntry>();
  for (const entry of entries) {
    for (let end = entry.name.indexOf("/"); end !== -1; end = entry.name.indexOf("/", end + 1)) {
      const name = entry.name.slice(0, end);
      all.set(name, { type: "directory", name });
    }
    all.set(entry.name, entry);
  }
  const keyed = [...all.values()].map((entry) => ({ entry, key: Buffer.from(entry.name) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}
