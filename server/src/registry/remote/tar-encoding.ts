import type { MemberDetails, TarHeader } from "./tar-headers.ts";

/** A member with nothing in it that differs from one making to the next: no times, no names of owners. */
export interface PlainMember extends TarHeader, MemberDetails {}

const BLOCK = 512;
const NAME_BYTES = 100;
const LINK_BYTES = 100;
const MAX_OWNER = 0o7777777;
const MAX_SIZE = 0o77777777777;

export const endOfTar = Buffer.alloc(2 * BLOCK);

/** The header of a member, with an extended one before it for what does not fit (POSIX ustar and pax). */
export function tarHeader(member: PlainMember): Buffer {
  const { name, linkName, uid, gid, sizeBytes } = member;
  const records = [
    ...(Buffer.byteLength(name) > NAME_BYTES ? [paxRecord("path", name)] : []),
    ...(Buffer.byteLength(linkName) > LINK_BYTES ? [paxRecord("linkpath", linkName)] : []),
    ...(sizeBytes > MAX_SIZE ? [paxRecord("size", String(sizeBytes))] : []),
    ...(uid > MAX_OWNER ? [paxRecord("uid", String(uid))] : []),
    ...(gid > MAX_OWNER ? [paxRecord("gid", String(gid))] : []),
    ...member.attributes
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, value]) => paxRecord(key, value)),
  ];
  const own = block(typeOf(member.kind), member);
  if (records.length === 0) return own;
  const extended = Buffer.concat(records);
  const plain = { name: "PaxHeaders/member", linkName: "", mode: 0o644, uid: 0, gid: 0, sizeBytes: extended.length };
  return Buffer.concat([block("x", plain), extended, padding(extended.length), own]);
}

/** What fills the last block of a content. */
export function padding(sizeBytes: number): Buffer {
  return endOfTar.subarray(0, (BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

function typeOf(kind: TarHeader["kind"]): string {
  switch (kind) {
    case "file":
      return "0";
    case "link":
      return "1";
    case "symlink":
      return "2";
    case "directory":
      return "5";
    case "other":
      throw new Error("Devices and pipes have no place in a layer of ours.");
    default:
      return kind satisfies never;
  }
}

function block(type: string, member: Omit<PlainMember, "kind" | "attributes">): Buffer {
  const { name, linkName, mode, uid, gid, sizeBytes } = member;
  const bytes = Buffer.alloc(BLOCK);
  Buffer.from(name).copy(bytes, 0, 0, NAME_BYTES);
  bytes.write(octal(mode, 7), 100);
  bytes.write(octal(uid > MAX_OWNER ? 0 : uid, 7), 108);
  bytes.write(octal(gid > MAX_OWNER ? 0 : gid, 7), 116);
  bytes.write(octal(sizeBytes > MAX_SIZE ? 0 : sizeBytes, 11), 124);
  bytes.write(octal(0, 11), 136);
  bytes.write(type, 156);
  Buffer.from(linkName).copy(bytes, 157, 0, LINK_BYTES);
  bytes.write("ustar\u000000", 257);
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${octal(sum, 6)}\u0000 `, 148);
  return bytes;
}

const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself, too. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
