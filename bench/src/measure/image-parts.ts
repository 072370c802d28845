import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, type Gzip } from "node:zlib";
import { tarHeaders } from "../../../server/src/registry/remote/tar-headers.ts";

const BLOCK = 512;
const PIECE_BYTES = 1024 * 1024;

/** An image as skopeo's `dir:` writes it. */
export interface PulledImage {
  /** as its registry sends them, lowest first */
  readonly layers: readonly { readonly size: number; readonly file: string; readonly isGzip: boolean }[];
}

export interface PartSize {
  readonly bytes: number;
  /** by gzip with its usual level, each part by itself */
  readonly gzipBytes: number;
}

export async function readPulledImage(folder: string): Promise<PulledImage> {
  const { layers } = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as {
    readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
  };
  return {
    layers: layers.map(({ mediaType, digest, size }) => ({
      size,
      file: join(folder, digest.replace("sha256:", "")),
      isGzip: mediaType.endsWith("gzip"),
    })),
  };
}

/**
 * How large the parts of an image are, as members of its tars.
 *
 * @param partOf names the part that a member belongs to
 */
export async function partSizes(
  { layers }: PulledImage,
  partOf: (path: string, layer: number) => string,
): Promise<ReadonlyMap<string, PartSize>> {
  const parts = new Map<string, Part>();
  for (const [index, layer] of layers.entries()) {
    const file = await unpacked(layer);
    await using bytes = await open(file);
    for await (const { name, sizeBytes, contentAt } of tarHeaders(createReadStream(file))) {
      const partName = partOf(name.replace(/^(?:\.?\/)+/, ""), index);
      const part = parts.get(partName) ?? newPart();
      parts.set(partName, part);
      part.bytes += BLOCK + Math.ceil(sizeBytes / BLOCK) * BLOCK;
      for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, sizeBytes - at);
        const { buffer } = await bytes.read(Buffer.allocUnsafe(length), 0, length, contentAt + at);
        if (!part.gzip.write(buffer)) await once(part.gzip, "drain");
      }
    }
  }
  for (const { gzip } of parts.values()) await once(gzip.end(), "end");
  return new Map([...parts].map(([name, { bytes, gzipBytes }]) => [name, { bytes, gzipBytes }]));
}

async function unpacked({ file, isGzip }: PulledImage["layers"][number]): Promise<string> {
  if (!isGzip) return file;
  const tar = `${file}.tar`;
  await pipeline(createReadStream(file), createGunzip(), createWriteStream(tar));
  return tar;
}

interface Part {
  readonly gzip: Gzip;
  bytes: number;
  gzipBytes: number;
}

function newPart(): Part {
  const part: Part = { gzip: createGzip(), bytes: 0, gzipBytes: 0 };
  part.gzip.on("data", (chunk: Buffer) => {
    part.gzipBytes += chunk.length;
  });
  return part;
}
