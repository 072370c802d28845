import type { ImageChange, ImageComparison } from "@slipway/client";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import type { Session } from "../session.ts";

export interface CodePatch {
  readonly path: string;
  /** unified diff; null for binary and large files, and for those that have too little in common */
  readonly patch: string | null;
}

const MAX_BYTES = 256 * 1024;
/** The work grows with the square of what differs. */
const MAX_MS = 1_000;

type Reading = Pick<Session, "client" | "signal">;

/** What differs inside the user's files of two images. */
export async function codePatches(session: Reading, { from, to, code }: ImageComparison): Promise<CodePatch[]> {
  const patches: CodePatch[] = [];
  for (const change of code) {
    const before = await textOf(session, from.imageId, change.name, change.from);
    const after = await textOf(session, to.imageId, change.name, change.to);
    patches.push({ path: change.name, patch: patchOf(change, before, after) });
  }
  return patches;
}

/** @returns undefined when it is no text or too much of it */
async function textOf(
  { client, signal }: Reading,
  imageId: string,
  path: string,
  digest: string | null,
): Promise<string | undefined> {
  if (digest === null) return "";
  const bytes = await client.images.codeFile(imageId, path, { signal });
  if (bytes.length > MAX_BYTES || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function patchOf(
  { name, from, to }: ImageChange,
  before: string | undefined,
  after: string | undefined,
): string | null {
  if (before === undefined || after === undefined) return null;
  const [oldName, newName] = [from === null ? "/dev/null" : `a/${name}`, to === null ? "/dev/null" : `b/${name}`];
  const options = { context: 3, timeout: MAX_MS, headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(oldName, newName, before, after, undefined, undefined, options) ?? null;
}
