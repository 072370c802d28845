import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import type { FileSource } from "@slipway/client";
import { fileFromBlob } from "@slipway/client";
import { pack } from "tar-stream";

/**
 * The files as one `.tar.gz` with relative member names. Times, owners and modes are fixed, so the same content gives the same bytes and is not sent
 * twice.
 */
export async function archiveOf(path: string, files: readonly FileSource[]): Promise<FileSource> {
  const archive = pack();
  const compressed = buffer(archive.pipe(createGzip({ level: 6 })));
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const bytes = new Uint8Array(await new Response(await file.slice(0, file.sizeBytes)).arrayBuffer());
    archive.entry(
      { name: file.path, size: file.sizeBytes, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 },
      Buffer.from(bytes),
    );
  }
  archive.finalize();
  return withDigest(fileFromBlob(path, new Blob([new Uint8Array(await compressed)])));
}

function withDigest(file: FileSource): FileSource {
  return {
    ...file,
    async sha256() {
      const bytes = await new Response(await file.slice(0, file.sizeBytes)).arrayBuffer();
      return Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
    },
  };
}
