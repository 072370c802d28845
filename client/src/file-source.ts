/** Content in memory, or a Blob, which is read when it is sent. */
export type Bytes = Blob | Uint8Array<ArrayBuffer>;

/** A file to send. It is read in pieces, so its size does not matter to memory. */
export interface FileSource {
  /** name on the server, relative, with `/` between folders */
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of the whole content in hex. With it, content that the server has is not sent again. */
  sha256?(signal?: AbortSignal): Promise<string>;
  /** the bytes from `start` up to, not including, `end` */
  slice(start: number, end: number): Promise<Bytes>;
  /** the whole content, for platforms whose `fetch` sends streams (Node does, browsers on HTTP/1.1 do not) */
  stream?(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A file of a browser (`File` is a `Blob`), or anything else as a Blob. */
export function fileFromBlob(path: string, blob: Blob): FileSource {
  return { path, sizeBytes: blob.size, slice: async (start, end) => blob.slice(start, end) };
}

/** Small content made in place: a script, a conda file. */
export function fileFromText(path: string, text: string): FileSource {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    sizeBytes: bytes.byteLength,
    async sha256() {
      return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    },
    slice: async (start, end) => bytes.slice(start, end),
  };
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
