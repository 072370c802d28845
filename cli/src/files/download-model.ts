import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SlipwayClient } from "@slipway/client";
import { CliError } from "../cli-error.ts";

/** Writes every file of a model below the folder and returns their paths. A file appears only when it is complete. */
export async function downloadModel(
  client: SlipwayClient,
  modelId: string,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const written: string[] = [];
  for (const file of await client.models.files(modelId, { signal })) {
    const target = targetPath(folder, file.path);
    await mkdir(dirname(target), { recursive: true });
    const response = await client.artifacts.open(file.contentUri, { signal });
    if (response.body === null)
      throw new CliError("EmptyAnswer", "failed", `The server sent nothing for ${file.path}.`);
    const partial = `${target}.partial`;
    await pipeline(Readable.fromWeb(response.body), createWriteStream(partial), { signal });
    await rename(partial, target);
    written.push(target);
  }
  return written;
}

/** Names come from the server: none may lead out of the folder. @throws {CliError} UnsafePath */
export function targetPath(folder: string, path: string): string {
  const clean = normalize(path);
  if (isAbsolute(clean) || clean.split("/").includes("..") || clean.includes("\0"))
    throw new CliError(
      "UnsafePath",
      "refused",
      `The model has a file named ${JSON.stringify(path)}, which leads out of ${folder}.`,
    );
  return join(resolve(folder), clean);
}
