import type { Stats } from "node:fs";
import { lstat, open } from "node:fs/promises";

/** A package of an environment with the files that it says are its own. */
export interface FoundPackage {
  /** as package indexes compare names: lower case, single dashes */
  readonly name: string;
  readonly version: string;
  /** SPDX identifiers or expressions where the author used them; empty if the package does not say */
  readonly licenses: readonly string[];
  /** paths in the tree; null if it does not say, or too much */
  readonly files: readonly string[] | null;
  /** only of a package from a conda channel */
  readonly conda?: CondaOrigin;
}

export interface CondaOrigin {
  readonly build: string;
  /** of the archive in its channel */
  readonly url: string;
  /** hex; null if the channel gives none */
  readonly sha256: string | null;
}

/** The first bytes of a plain file; undefined if there is none. */
export async function readStart(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
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
export function plainStats(file: string): Promise<Stats | undefined> {
  return lstat(file).catch(() => undefined);
}
