import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  type Frame,
  FrameDecoder,
  FrameError,
  FrameKind,
  writeFrameHeader,
} from "./frames.ts";

const kinds = Object.values(FrameKind);
const frames = fc.array(
  fc.record({
    id: fc.nat(0xffff_ffff),
    kind: fc.constantFrom(...kinds),
    body: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 12 },
);

/** What comes out, copied: a frame's body is only valid during the call. */
function collect(maxFrameBytes?: number): { readonly decoder: FrameDecoder; readonly got: Frame[] } {
  const got: Frame[] = [];
  const decoder = new FrameDecoder(({ id, kind, body }) => got.push({ id, kind, body: body.slice() }), maxFrameBytes);
  return { decoder, got };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

describe("encodeFrame", () => {
  it("writes length, id, kind and body, big-endian", () => {
    expect([...encodeFrame(0x01020304, FrameKind.DATA, new Uint8Array([9, 8]))]).toEqual([
      0, 0, 0, 7, 1, 2, 3, 4, 6, 9, 8,
    ]);
  });

  it("agrees with writeFrameHeader at any offset of any view", () => {
    fc.assert(
      fc.property(
        fc.nat(20),
        fc.nat(20),
        fc.nat(0xffff_ffff),
        fc.constantFrom(...kinds),
        (before, offset, id, kind) => {
          const memory = new Uint8Array(before + offset + FRAME_HEADER_BYTES).subarray(before);
          writeFrameHeader(memory, offset, id, kind, 3);
          expect(memory.slice(offset)).toEqual(encodeFrame(id, kind, new Uint8Array(3)).slice(0, FRAME_HEADER_BYTES));
        },
      ),
    );
  });
});

describe("FrameDecoder", () => {
  it("gives back what was encoded, however the stream is cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 60 })), (sent, cuts) => {
        const stream = join(sent.map(({ id, kind, body }) => encodeFrame(id, kind, body)));
        const { decoder, got } = collect();
        let at = 0;
        for (const size of [...cuts, stream.length]) {
          decoder.push(stream.slice(at, at + size));
          at += size;
        }
        expect(got).toEqual(sent);
        expect(decoder.idle).toBe(true);
      }),
    );
  });

  it("gives back what was encoded byte by byte", () => {
    fc.assert(
      fc.property(frames, (sent) => {
        const { decoder, got } = collect();
        for (const byte of join(sent.map(({ id, kind, body }) => encodeFrame(id, kind, body)))) {
          decoder.push(new Uint8Array([byte]));
        }
        expect(got).toEqual(sent);
      }),
      { numRuns: 30 },
    );
  });

  it("keeps a frame in pieces apart from the chunks that it came in", () => {
    const bodies: number[][] = [];
    const decoder = new FrameDecoder(({ body }) => bodies.push([...body]));
    const chunk = encodeFrame(1, FrameKind.DATA, new Uint8Array([1, 2, 3, 4]));
    const first = chunk.slice(0, 10);
    decoder.push(first);
    // The socket's buffer may be used again after the call.
    first.fill(0xff);
    decoder.push(chunk.slice(10));
    expect(bodies).toEqual([[1, 2, 3, 4]]);
  });

  it("is not idle inside a frame, from the first byte on", () => {
    const frame = encodeFrame(1, FrameKind.DATA, new Uint8Array(3));
    const { decoder } = collect();
    expect(decoder.idle).toBe(true);
    for (const byte of frame.slice(0, -1)) {
      decoder.push(new Uint8Array([byte]));
      expect(decoder.idle).toBe(false);
    }
    decoder.push(frame.slice(-1));
    expect(decoder.idle).toBe(true);
  });

  it.each([0, 1, 4])("refuses a frame of length %i, whole or in pieces", (length) => {
    const bytes = new Uint8Array([0, 0, 0, length, 0, 0, 0, 0, 0]);
    expect(() => collect().decoder.push(bytes)).toThrow(FrameError);
    const { decoder } = collect();
    decoder.push(bytes.slice(0, 3));
    expect(() => decoder.push(bytes.slice(3))).toThrow(FrameError);
  });

  it("refuses a frame beyond the limit by its first four bytes, without waiting for the rest", () => {
    const limit = 100;
    const fits = encodeFrame(1, FrameKind.DATA, new Uint8Array(limit - FRAME_HEADER_BYTES));
    const { decoder, got } = collect(limit);
    decoder.push(fits);
    expect(got).toHaveLength(1);
    const beyond = encodeFrame(1, FrameKind.DATA, new Uint8Array(limit - FRAME_HEADER_BYTES + 1));
    expect(() => decoder.push(beyond.slice(0, 4))).toThrow(/announced 97 bytes; allowed are 5 to 96/);
  });

  it("never throws anything but FrameError, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
        const { decoder } = collect(1_000);
        try {
          for (const chunk of chunks) decoder.push(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });
});
