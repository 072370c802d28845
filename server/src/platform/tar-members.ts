import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";

/** A member of a tar that somebody else made. Its path is relative and clean; whether its link stays inside is not checked. */
export type TarMember =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly executable: boolean;
      /** must be read before the next member */
      readonly bytes: AsyncIterable<Uint8Array>;
    }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** Makes the error for a member that is refused. */
export type Refuse = (member: string, reason: string) => Error;

/**
 * Unpacks a tar member by member, with flat memory. Devices, pipes and hard links are refused, and so are names that lead out.
 *
 * @param bytes whole and checked: an extended header of any size would be read into memory
 */
export async function* tarMembers(
  bytes: AsyncIterable<Uint8Array>,
  refuse: Refuse,
  signal: AbortSignal,
): AsyncIterable<TarMember> {
  const tar = extract();
  const unpacking = pipeline(Readable.from(bytes), tar, { signal });
  // Its failure is thrown by the loop, too.
  unpacking.catch(() => {});
  for await (const entry of tar) {
    yield toMember(entry.header, entry as unknown as AsyncIterable<Uint8Array>, refuse);
    entry.resume();
  }
  await unpacking;
}

function toMember(header: Header, bytes: AsyncIterable<Uint8Array>, refuse: Refuse): TarMember {
  const path = cleanPath(header.name, refuse);
  switch (header.type) {
    case "file":
    case "contiguous-file":
      return { kind: "file", path, executable: ((header.mode ?? 0) & 0o111) !== 0, bytes };
    case "directory":
      return { kind: "directory", path };
    case "symlink":
      return { kind: "link", path, target: header.linkname ?? "" };
    default:
      throw refuse(header.name, "is neither a file nor a folder nor a symbolic link");
  }
}

const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;

function cleanPath(name: string, refuse: Refuse): string {
  if (CONTROL_CHARACTER.test(name) || !name.isWellFormed()) throw refuse(name, "has a name that is no plain text");
  if (name.startsWith("/")) throw refuse(name, "has an absolute path");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(name, 'leads out with ".."');
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw refuse(name, "has a name longer than 255 bytes");
  if (name.length > 4_000) throw refuse(name, "has a path longer than 4,000 characters");
  return parts.join("/");
}
