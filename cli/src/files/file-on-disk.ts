import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { FileSource } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import { fileNotReadable } from "./file-error.ts";

const READ_BYTES = 1024 * 1024;

/** A file to send; it is read when its bytes are needed. @throws {CliError} FileNotReadable */
export async function fileOnDisk(file: string, path = basename(file)): Promise<FileSource> {
  const info = await statOf(file);
  if (!info.isFile()) throw new CliError("NotAFile", "usage", `${file} is not a file.`);
  let digest: Promise<string> | undefined;
  return {
    path,
    sizeBytes: info.size,
    sha256(signal) {
      digest ??= hash(file, signal);
      return digest;
    },
    slice: (start, end) => readRange(file, start, end),
    stream: () => readWhole(file, info.size),
  };
}

/** A file, or all files of a folder under the folder's name. Links are followed only where they lead to files. */
export async function filesAt(path: string): Promise<FileSource[]> {
  if (!(await statOf(path)).isDirectory()) return [await fileOnDisk(path)];
  const found = await filesBelow(path, basename(join(process.cwd(), path)));
  if (found.length === 0) throw new CliError("EmptyFolder", "usage", `The folder ${path} holds no files.`);
  return found;
}

async function filesBelow(folder: string, name: string): Promise<FileSource[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files: FileSource[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(path, `${name}/${entry.name}`)));
    else files.push(await fileOnDisk(path, `${name}/${entry.name}`));
  }
  return files;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw fileNotReadable(path, error);
  }
}

async function hash(file: string, signal: AbortSignal | undefined): Promise<string> {
  const digest = createHash("sha256");
  const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
  await using handle = await open(file, "r");
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, chunk.length);
    if (bytesRead === 0) return digest.digest("hex");
    digest.update(chunk.subarray(0, bytesRead));
  }
}

async function readRange(file: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  await using handle = await open(file, "r");
  return await readFrom(handle, file, start, end);
}

function readWhole(file: string, sizeBytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let handle: FileHandle | undefined;
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      try {
        handle ??= await open(file, "r");
        const end = Math.min(at + READ_BYTES, sizeBytes);
        controller.enqueue(await readFrom(handle, file, at, end));
        at = end;
        if (at < sizeBytes) return;
        await handle.close();
        controller.close();
      } catch (error) {
        await handle?.close();
        throw error;
      }
    },
    async cancel() {
      await handle?.close();
    },
  });
}

async function readFrom(
  handle: FileHandle,
  file: string,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // Not from the shared pool, and not filled with zeros first: every byte is overwritten.
  const bytes = Buffer.allocUnsafeSlow(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0)
      throw new CliError("FileChanged", "failed", `${file} became shorter while it was sent. Run the command again.`);
    filled += bytesRead;
  }
  return bytes;
}
