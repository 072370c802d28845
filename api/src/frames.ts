/**
 * The frame protocol between gateway, scorer and worker, byte by byte. `docs/reference/frames.md` tells it in prose.
 *
 * ```
 * frame    := u32be length    number of bytes after this field: 5 + body
 *             u32be id        chosen by the side that asks; 0 for the connection itself
 *             u8    kind      one of FrameKind
 *             body
 * ```
 *
 * | kind | body | direction |
 * |---|---|---|
 * | HELLO (1) | JSON {@link Hello} | both, first frame, id 0 |
 * | REQUEST (2) | u32be head length, JSON {@link RequestHead}, payload | asker → answerer |
 * | RESPONSE (3) | u16be status, u32be head length, JSON {@link ResponseHead}, payload | answerer → asker |
 * | CANCEL (4) | empty: the asker is no longer interested; the answerer may still answer, the asker drops it | asker → answerer |
 * | STREAM (5) | as RESPONSE; more follows in DATA frames of the same id | answerer → asker |
 * | DATA (6) | part of a streamed answer | answerer → asker |
 * | END (7) | empty, or UTF-8 text: the cause for which the stream broke off | answerer → asker |
 * | TAKEN (9) | u32be: so many more bytes of the streamed answer are with its reader; only from scorer to worker | asker → answerer |
 * | EVENT (8) | JSON; id 0; a scorer's `start` to its worker, a worker's `stage`, `ready` or `failed`, a scorer's `draining` | both |
 */
export const FrameKind = {
  HELLO: 1,
  REQUEST: 2,
  RESPONSE: 3,
  CANCEL: 4,
  STREAM: 5,
  DATA: 6,
  END: 7,
  EVENT: 8,
  TAKEN: 9,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export const FRAME_PROTOCOL_VERSION = 1;
/** Bytes before the body: length, id, kind. */
export const FRAME_HEADER_BYTES = 9;
/** A frame longer than this is a broken or hostile peer: the connection is closed. 2 GiB - 1 is the limit of the fields; bodies are limited far below. */
export const MAX_FRAME_BYTES = 1024 * 1024 * 1024;

/** First frame in both directions. `nonce` proves that the socket belongs to the replica that the run folder describes. */
export interface Hello {
  readonly protocol: number;
  readonly role: "gateway" | "scorer" | "worker" | "control";
  readonly nonce?: string;
}

/** What the answerer needs to know of a request besides its payload. Short names: this is on the hot path. */
export interface RequestHead {
  /** HTTP method */
  readonly m: string;
  /** path relative to the service, beginning with `/`, for instance `/score` */
  readonly p: string;
  /** query string without `?`, absent when empty */
  readonly q?: string;
  /** headers, names in lower case; hop-by-hop headers and Authorization are left out */
  readonly h: Readonly<Record<string, string>>;
  /** request id for logs */
  readonly i: string;
  /** milliseconds that the asker will still wait */
  readonly t?: number;
}

export interface ResponseHead {
  /** headers, names in lower case */
  readonly h: Readonly<Record<string, string>>;
}

export interface Frame {
  readonly id: number;
  readonly kind: number;
  /** A view into the receive buffer: copy what outlives the callback. */
  readonly body: Uint8Array;
}

/** Writes the nine header bytes. `into` must have room for them at `offset`. */
export function writeFrameHeader(into: Uint8Array, offset: number, id: number, kind: number, bodyBytes: number): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setUint32(offset, bodyBytes + 5);
  view.setUint32(offset + 4, id);
  view.setUint8(offset + 8, kind);
}

export function encodeFrame(id: number, kind: FrameKind, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrameHeader(frame, 0, id, kind, body.length);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

export class FrameError extends Error {
  readonly code = "BadFrame";
}

/**
 * Cuts a byte stream into frames. Feed it what the socket gives; it calls back once for each whole frame.
 *
 * A frame that arrives in many pieces is collected in one buffer of its announced size, so a 100 MB body costs one copy,
 * not one copy for every piece.
 *
 * @throws {FrameError} when a frame announces an impossible length; the connection cannot be used any more.
 */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #maxFrameBytes: number;
  #partial: Uint8Array | undefined;
  #filled = 0;

  constructor(onFrame: (frame: Frame) => void, maxFrameBytes: number = MAX_FRAME_BYTES) {
    this.#onFrame = onFrame;
    this.#maxFrameBytes = maxFrameBytes;
  }

  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#partial === undefined ? this.#takeWhole(rest) : this.#fill(rest);
    }
  }

  /** True between frames: a connection that ends now ends cleanly. */
  get idle(): boolean {
    return this.#partial === undefined;
  }

  #takeWhole(chunk: Uint8Array): Uint8Array {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (chunk.length - at >= FRAME_HEADER_BYTES) {
      const end = at + this.#frameBytes(view.getUint32(at));
      if (end > chunk.length) break;
      this.#onFrame({
        id: view.getUint32(at + 4),
        kind: view.getUint8(at + 8),
        body: chunk.subarray(at + FRAME_HEADER_BYTES, end),
      });
      at = end;
    }
    const left = chunk.subarray(at);
    if (left.length === 0) return left;
    const size = left.length >= 4 ? this.#frameBytes(view.getUint32(at)) : FRAME_HEADER_BYTES;
    this.#partial = new Uint8Array(Math.max(size, FRAME_HEADER_BYTES));
    this.#partial.set(left);
    this.#filled = left.length;
    return left.subarray(left.length);
  }

  #fill(chunk: Uint8Array): Uint8Array {
    let partial = this.#partial as Uint8Array;
    let rest = chunk;
    if (this.#filled < 4) {
      const need = Math.min(4 - this.#filled, rest.length);
      partial.set(rest.subarray(0, need), this.#filled);
      this.#filled += need;
      rest = rest.subarray(need);
      if (this.#filled < 4) return rest;
      const size = this.#frameBytes(new DataView(partial.buffer, partial.byteOffset).getUint32(0));
      if (size !== partial.length) {
        const grown = new Uint8Array(size);
        grown.set(partial.subarray(0, 4));
        partial = grown;
        this.#partial = grown;
      }
    }
    const take = Math.min(partial.length - this.#filled, rest.length);
    partial.set(rest.subarray(0, take), this.#filled);
    this.#filled += take;
    if (this.#filled === partial.length) {
      this.#partial = undefined;
      const view = new DataView(partial.buffer, partial.byteOffset);
      this.#onFrame({ id: view.getUint32(4), kind: view.getUint8(8), body: partial.subarray(FRAME_HEADER_BYTES) });
    }
    return rest.subarray(take);
  }

  #frameBytes(length: number): number {
    if (length < 5 || length + 4 > this.#maxFrameBytes) {
      throw new FrameError(`A frame announced ${length} bytes; allowed are 5 to ${this.#maxFrameBytes - 4}.`);
    }
    return length + 4;
  }
}
