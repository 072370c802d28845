/** A member of a tar that somebody else made: its name is text from outside and has decided nothing yet. */
export interface TarHeader {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "link" | "other";
  readonly linkName: string;
  readonly sizeBytes: number;
}

/** A member for whoever writes it again. */
export interface TarMember extends TarHeader {
  /** of the first byte of its content, counted from the beginning of the tar */
  readonly contentAt: number;
  /** @throws {TarError} when they are no numbers */
  details(): MemberDetails;
}

export interface MemberDetails {
  /** permissions with set-user, set-group and sticky bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** extended attributes; names begin with `SCHILY.xattr.`, values are any bytes */
  readonly attributes: readonly (readonly [name: string, value: Buffer])[];
}

const BLOCK = 512;
/** Long names and PAX records are read into memory; real ones have some hundred bytes. */
const MAX_EXTENDED_BYTES = 1024 * 1024;

/** What is wrong with a tar, for the message of whoever reads it. */
export class TarError extends Error {}

/**
 * Reads the headers of a tar and passes over the contents, with flat memory whatever the tar says. It reads to the end of
 * `bytes`, so that a hash over them is whole.
 *
 * A reader of its own because tar-stream keeps an extended header of any announced size in memory.
 *
 * @throws {TarError}
 */
export async function* tarHeaders(bytes: AsyncIterable<Uint8Array>): AsyncIterable<TarMember> {
  const reader = readPieces(bytes);
  let long: ExtendedHeader = {};
  try {
    for (;;) {
      const block = await reader.take(BLOCK);
      if (block === undefined || block.every((byte) => byte === 0)) break;
      checkSum(block);
      const type = String.fromCharCode(block[156] ?? 0);
      const size = long.size ?? numberAt(block, 124, 12);
      if (type === "L" || type === "K" || type === "x") {
        const text = await extended(reader, numberAt(block, 124, 12));
        if (type === "L") long.path = untilNul(text);
        else if (type === "K") long.linkPath = untilNul(text);
        else long = { ...long, ...paxRecords(text) };
        continue;
      }
      const kind = kindOf(type);
      yield {
        name: long.path ?? ustarName(block),
        kind,
        linkName: long.linkPath ?? untilNul(block.subarray(157, 257)),
        sizeBytes: kind === "file" ? size : 0,
        contentAt: reader.position(),
        details: detailsOf(block, long),
      };
      long = {};
      await reader.skip(kind === "file" || kind === "other" ? padded(size) : 0);
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

function kindOf(type: string): TarHeader["kind"] {
  switch (type) {
    case "0":
    case "\0":
    case "7":
      return "file";
    case "1":
      return "link";
    case "2":
      return "symlink";
    case "5":
      return "directory";
    case "S":
      throw new TarError("it has a sparse file, which only old GNU tars write");
    default:
      return "other";
  }
}

async function extended(reader: PieceReader, size: number): Promise<Buffer> {
  if (size > MAX_EXTENDED_BYTES) throw new TarError(`a member's extended header has ${size} bytes`);
  const text = Buffer.from((await reader.take(size)) ?? Buffer.alloc(0));
  await reader.skip(padded(size) - size);
  return text;
}

const padded = (size: number) => Math.ceil(size / BLOCK) * BLOCK;

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString("utf8");
}

function ustarName(block: Buffer): string {
  const name = untilNul(block.subarray(0, 100));
  const isUstar = block.toString("latin1", 257, 262) === "ustar" && block[262] === 0;
  const prefix = isUstar ? untilNul(block.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Octal digits, or binary when the first bit is set (GNU, for files of 8 GiB and more). */
function numberAt(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  const first = field[0] ?? 0;
  let value = 0;
  if ((first & 0x80) !== 0) {
    value = first & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const digits = untilNul(field).trim();
    if (!/^[0-7]*$/.test(digits)) throw new TarError("a member's size is not a number");
    value = Number.parseInt(digits || "0", 8);
  }
  if (!Number.isSafeInteger(value)) throw new TarError("a member's size is not a number");
  return value;
}

function checkSum(block: Buffer): void {
  const expected = numberAt(block, 148, 8);
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  if (sum !== expected) throw new TarError("it is not a tar");
}

function detailsOf(block: Buffer, { uid, gid, attributes = [] }: ExtendedHeader): () => MemberDetails {
  return () => ({
    mode: numberAt(block, 100, 8) & 0o7777,
    uid: uid === undefined ? numberAt(block, 108, 8) : paxNumber(uid),
    gid: gid === undefined ? numberAt(block, 116, 8) : paxNumber(gid),
    attributes,
  });
}

interface ExtendedHeader {
  path?: string;
  linkPath?: string;
  size?: number;
  uid?: string;
  gid?: string;
  attributes?: readonly (readonly [string, Buffer])[];
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record (POSIX pax). */
function paxRecords(text: Buffer): ExtendedHeader {
  const found: ExtendedHeader = {};
  const attributes: (readonly [string, Buffer])[] = [];
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(0x20, at);
    const length = Number(text.toString("latin1", at, space === -1 ? at : space));
    if (!Number.isInteger(length) || length < 5 || at + length > text.length) {
      throw new TarError("a member's extended header is damaged");
    }
    const record = text.subarray(space + 1, at + length - 1);
    const equals = record.indexOf("=");
    const key = record.toString("utf8", 0, Math.max(equals, 0));
    const value = record.subarray(equals + 1);
    if (key === "path") found.path = value.toString("utf8");
    else if (key === "linkpath") found.linkPath = value.toString("utf8");
    else if (key === "size") found.size = paxNumber(value.toString("latin1"));
    else if (key === "uid" || key === "gid") found[key] = value.toString("latin1");
    else if (key.startsWith("SCHILY.xattr.")) attributes.push([key, value]);
    at += length;
  }
  return attributes.length === 0 ? found : { ...found, attributes };
}

function paxNumber(digits: string): number {
  const value = Number(digits);
  if (!/^[0-9]{1,16}$/.test(digits) || !Number.isSafeInteger(value)) {
    throw new TarError("a member's size or owner is not a number");
  }
  return value;
}

type PieceReader = ReturnType<typeof readPieces>;

/** Takes and skips so many bytes of a stream; keeps no more than one chunk. */
function readPieces(bytes: AsyncIterable<Uint8Array>) {
  const iterator = bytes[Symbol.asyncIterator]();
  let chunk: Uint8Array = Buffer.alloc(0);
  let position = 0;
  async function more(): Promise<boolean> {
    const next = await iterator.next();
    if (next.done === true) return false;
    chunk = next.value;
    return true;
  }
  return {
    /** How many bytes were taken and skipped. */
    position: () => position,
    /** Exactly so many bytes, or undefined at the end. @throws {TarError} when the end comes between */
    async take(length: number): Promise<Buffer | undefined> {
      const parts: Uint8Array[] = [];
      let missing = length;
      while (missing > 0) {
        if (chunk.length === 0) {
          if (await more()) continue;
          if (missing === length) return undefined;
          throw new TarError("it ends too early");
        }
        const part = chunk.subarray(0, missing);
        parts.push(part);
        chunk = chunk.subarray(part.length);
        position += part.length;
        missing -= part.length;
      }
      return Buffer.concat(parts);
    },
    async skip(length: number): Promise<void> {
      for (let missing = length; missing > 0; ) {
        if (chunk.length === 0 && !(await more())) throw new TarError("it ends too early");
        const part = Math.min(missing, chunk.length);
        chunk = chunk.subarray(part);
        position += part;
        missing -= part;
      }
    },
    async drain(): Promise<void> {
      while (await more());
    },
    async close(): Promise<void> {
      await iterator.return?.();
    },
  };
}
