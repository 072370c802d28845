import { createHash } from "node:crypto";
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { AppError } from "../../platform/errors.ts";
import { layerInvalid } from "./remote-errors.ts";
import { TarError, type TarMember, tarHeaders } from "./tar-headers.ts";

export interface ScanLimits {
  readonly unpackedBytes: number;
  readonly members: number;
}

/** The largest images in use have some 20 GB and a million files. */
export const scanLimits: ScanLimits = { unpackedBytes: 64 * 1024 ** 3, members: 3_000_000 };

/**
 * Reads a layer through, telling its members and checking that it is what the image's configuration says it is. Nothing is
 * unpacked to disk.
 *
 * @throws {AppError} LayerInvalid: not what its media type says, not a tar, too much, or another digest than announced
 */
export async function readLayerMembers(
  layer: { readonly digest: string; readonly diffId: string; readonly mediaType: string },
  bytes: AsyncIterable<Uint8Array>,
  onMember: (member: TarMember) => void,
  signal: AbortSignal,
  limits: ScanLimits = scanLimits,
): Promise<void> {
  const hash = createHash("sha256");
  let unpacked = 0;
  async function* counted(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      signal.throwIfAborted();
      unpacked += chunk.length;
      if (unpacked > limits.unpackedBytes) {
        throw layerInvalid(layer.digest, `it unpacks to more than ${limits.unpackedBytes} bytes`);
      }
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    let members = 0;
    for await (const member of tarHeaders(counted(decompressed(layer.mediaType, bytes)))) {
      if (++members > limits.members) throw layerInvalid(layer.digest, `it has more than ${limits.members} members`);
      onMember(member);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError) throw error;
    const isDamage = error instanceof TarError || isDecompression(error);
    throw isDamage ? layerInvalid(layer.digest, (error as Error).message) : error;
  }
  const diffId = `sha256:${hash.digest("hex")}`;
  if (diffId !== layer.diffId) {
    throw layerInvalid(layer.digest, `unpacked it has the digest ${diffId}, but its image announces ${layer.diffId}`);
  }
}

function decompressed(mediaType: string, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (mediaType.endsWith("+gzip")) return through(bytes, createGunzip());
  if (mediaType.endsWith("+zstd")) return through(bytes, createZstdDecompress());
  return bytes;
}

function through(bytes: AsyncIterable<Uint8Array>, transform: Transform): AsyncIterable<Uint8Array> {
  const source = Readable.from(bytes);
  source.on("error", (error) => transform.destroy(error));
  transform.on("close", () => source.destroy());
  return source.pipe(transform) as AsyncIterable<Uint8Array>;
}

function isDecompression(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code.startsWith("Z_") || code.startsWith("ZSTD_");
}
