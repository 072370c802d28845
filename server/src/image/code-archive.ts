import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { AppError } from "../platform/errors.ts";
import { archiveInvalid, archiveMemberRefused, archiveTooLarge } from "./image-errors.ts";

/** A regular file of an archive, unpacked under a number; its name decides nothing yet. */
export interface ArchiveMember {
  /** checked: relative, no "." or "..", separated by "/" */
  readonly name: string;
  /** absolute path of the unpacked bytes */
  readonly file: string;
  readonly executable: boolean;
}

export interface UnpackedArchive {
  /** the first member's name: `tar` begins with the file or folder that was packed */
  readonly root: string;
  readonly members: readonly ArchiveMember[];
}

export interface PackedArchive {
  readonly name: string;
  readonly sizeBytes: number;
  bytes(): AsyncIterable<Uint8Array>;
}

export interface UnpackLimits {
  readonly totalBytes: number;
  readonly members: number;
  /** unpacked to packed, judged above `freeBytes` */
  readonly ratio: number;
  readonly freeBytes: number;
}

/** For all archives of one image together. Code is small; whoever packs data into it should make it a model. */
export const unpackLimits: UnpackLimits = {
  totalBytes: 2 * 1024 ** 3,
  members: 50_000,
  ratio: 200,
  freeBytes: 64 * 1024 ** 2,
};

/** What is still allowed; archives of one image take from the same. */
export interface UnpackBudget {
  bytes: number;
  members: number;
}

export const newBudget = (limits: UnpackLimits): UnpackBudget => ({
  bytes: limits.totalBytes,
  members: limits.members,
});

/**
 * Unpacks the regular files of a `.tar.gz` into `folder` as `0`, `1`, …, so that no name of the archive ever reaches the
 * file system. Of two members with one name the last counts.
 *
 * @throws {AppError} ArchiveInvalid, ArchiveMemberRefused, ArchiveTooLarge
 */
export async function unpackArchive(
  archive: PackedArchive,
  folder: string,
  budget: UnpackBudget,
  signal: AbortSignal,
  limits: UnpackLimits = unpackLimits,
): Promise<UnpackedArchive> {
  const tar = extract();
  const gunzip = createGunzip();
  let fed: unknown;
  const feeding = pipeline(
    Readable.from(archive.bytes()),
    gunzip,
    (source: AsyncIterable<Buffer>) => counted(source, archive, budget, limits),
    tar,
    { signal },
  ).catch((error: unknown) => {
    fed = error;
  });
  const members = new Map<string, ArchiveMember>();
  let root: string | undefined;
  try {
    for await (const entry of tar) {
      if (--budget.members < 0) throw archiveTooLarge(archive.name, `it has more than ${limits.members} members`);
      const name = memberName(archive.name, entry.header.name);
      root ??= name;
      if (isFile(archive.name, entry.header)) {
        const file = join(folder, String(limits.members - budget.members));
        await write(file, entry as unknown as AsyncIterable<Uint8Array>);
        members.set(name, { name, file, executable: (entry.header.mode & 0o111) !== 0 });
      }
      entry.resume();
    }
    await feeding;
    if (fed !== undefined) throw fed;
  } catch (error) {
    gunzip.destroy();
    await feeding;
    signal.throwIfAborted();
    throw readable(archive.name, [error, fed]);
  }
  return { root: root ?? "", members: [...members.values()] };
}

async function* counted(
  source: AsyncIterable<Buffer>,
  archive: PackedArchive,
  budget: UnpackBudget,
  limits: UnpackLimits,
): AsyncIterable<Buffer> {
  let unpacked = 0;
  for await (const chunk of source) {
    unpacked += chunk.length;
    budget.bytes -= chunk.length;
    if (budget.bytes < 0)
      throw archiveTooLarge(archive.name, `the code of an image may have ${limits.totalBytes} bytes in all`);
    if (unpacked > limits.freeBytes && unpacked > archive.sizeBytes * limits.ratio)
      throw archiveTooLarge(archive.name, `it grows to more than ${limits.ratio} times its size`);
    yield chunk;
  }
}

async function write(file: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, "wx", 0o644);
  try {
    for await (const chunk of bytes) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}

function isFile(archive: string, header: Header): boolean {
  switch (header.type) {
    case "file":
    case "contiguous-file":
      return true;
    case "directory":
      return false;
    case "symlink":
    case "link":
      throw archiveMemberRefused(archive, header.name, "is a link; put the file itself in its place");
    default:
      throw archiveMemberRefused(archive, header.name, "is neither a file nor a folder");
  }
}

const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;

/** A member's name as a clean relative path. The genuine client drops the first slash itself (wire contract 7.1). */
function memberName(archive: string, name: string): string {
  const refuse = (reason: string) => archiveMemberRefused(archive, name, reason);
  if (CONTROL_CHARACTER.test(name)) throw refuse("has a control character in its name");
  if (!name.isWellFormed()) throw refuse("has a name that is not Unicode");
  if (name.includes("\\")) throw refuse('has a "\\" in its name; folders are separated by "/"');
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refuse("has an absolute path");
  if (name.length > 1024) throw refuse("has a name longer than 1024 characters");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse('leads out of its folder with ".."');
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw refuse("has a part longer than 255 bytes in its name");
  return parts.join("/");
}

/** Our own refusal if there is one; else what the decompressor or the tar reader found, in words. */
function readable(archive: string, errors: readonly unknown[]): unknown {
  const own = errors.find((error) => error instanceof AppError);
  if (own !== undefined) return own;
  const system = errors.find((error) => error instanceof Error && "syscall" in error);
  if (system !== undefined) return system;
  const first = errors.find((error) => error instanceof Error && !/premature close|destroyed/i.test(error.message));
  const why = first instanceof Error ? first.message : "it ends too early";
  return archiveInvalid(archive, `is not a whole .tar.gz file (${why})`);
}
