import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract } from "tar-stream";
import {
  apkPackages,
  type Distribution,
  distributionIn,
  dpkgPackages,
  type SystemPackage,
} from "../proof/system-packages.ts";

/** What the operating system of a base consists of. */
export interface BaseContents {
  readonly distribution: Distribution | null;
  /** sorted by name; empty if its package manager is another than Debian's or Alpine's, or it has none */
  readonly packages: readonly SystemPackage[];
}

export interface ReadableLayer {
  readonly mediaType: string;
  read(): AsyncIterable<Uint8Array>;
}

/** Lists of whole desktops have 10 MiB. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;
const MAX_FILES = 20_000;

const WANTED =
  /^(?:etc\/os-release|usr\/lib\/os-release|var\/lib\/dpkg\/status|var\/lib\/dpkg\/status\.d\/[^/]+|lib\/apk\/db\/installed)$/;

/**
 * Reads the lists of installed packages out of a base. Its layers come from elsewhere: they are read through and never unpacked.
 *
 * @param layers lowest first
 */
export async function readBaseContents(layers: readonly ReadableLayer[], signal: AbortSignal): Promise<BaseContents> {
  const files = new Map<string, string>();
  for (const layer of layers) await readLayer(layer, files, signal);
  const packages = [...files].flatMap(([path, content]) => {
    if (path.startsWith("var/lib/dpkg/")) return path.endsWith(".md5sums") ? [] : dpkgPackages(content);
    return path.startsWith("lib/apk/") ? apkPackages(content) : [];
  });
  const release = files.get("etc/os-release") ?? files.get("usr/lib/os-release") ?? "";
  return {
    distribution: distributionIn(release),
    packages: packages.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0)),
  };
}

/** A file of a higher layer comes in the place of the same one below; a whiteout takes it away. */
async function readLayer(layer: ReadableLayer, files: Map<string, string>, signal: AbortSignal): Promise<void> {
  const tar = extract();
  const unpacking = pipeline([Readable.from(layer.read()), ...decompression(layer.mediaType), tar], { signal });
  // Its failure is thrown by the loop, too.
  unpacking.catch(() => {});
  for await (const entry of tar) {
    const { name, type, size = 0 } = entry.header;
    const path = name.replace(/^(?:\.?\/)+/, "");
    const gone = path.replace(/(^|\/)\.wh\.([^/]+)$/, "$1$2");
    if (gone !== path) files.delete(gone);
    const wanted = type === "file" && WANTED.test(path) && size <= MAX_FILE_BYTES && files.size < MAX_FILES;
    if (wanted) files.set(path, await text(entry));
    else entry.resume();
  }
  await unpacking;
}

function decompression(mediaType: string) {
  if (mediaType.endsWith("gzip")) return [createGunzip()];
  return mediaType.endsWith("+zstd") ? [createZstdDecompress()] : [];
}
