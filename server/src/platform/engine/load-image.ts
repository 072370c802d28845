import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { AppError } from "../errors.ts";
import type { EngineClient } from "./engine-client.ts";
import { imageNotLoaded } from "./engine-errors.ts";
import { type ImageBlob, type ImageBlobs, imageArchive, sizeOf } from "./image-archive.ts";

/** OCI image specification, "Image Configuration" */
const Config = Type.Object({ rootfs: Type.Object({ diff_ids: Type.Array(Type.String()) }) });

export interface LoadContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** How often a long load says how far it is. */
const PROGRESS_MS = 5_000;

/**
 * Sends an image to the engine, without the lowest layers that one of its `relatives` has there already: engines find those by
 * their digests and do not look for them in the archive. Should one look all the same, everything is sent.
 *
 * @param imageId what people call it
 * @param relatives references of images that may be in the engine
 */
export async function loadImage(
  engine: EngineClient,
  imageId: string,
  blobs: ImageBlobs,
  reference: string,
  relatives: readonly string[],
  { signal, say }: LoadContext,
): Promise<void> {
  const began = performance.now();
  const send = async (leaveOut: readonly ImageBlob[]) => {
    const total = sizeOf(blobs.layers) - sizeOf(leaveOut);
    const rest = leaveOut.length === 0 ? "" : `; ${leaveOut.length} of ${blobs.layers.length} layers are there`;
    say(`Loading the image ${imageId} into the container engine (${inMegabytes(total)}${rest}).`);
    const archive = imageArchive(blobs, reference, leaveOut);
    await engine.loadImage(
      withProgress(archive, (sent) => say(`Loading the image: ${inMegabytes(sent)} of ${inMegabytes(total)}.`)),
      signal,
    );
  };
  const shared = await sharedLayers(engine, blobs, relatives);
  try {
    await send(shared).catch((error: unknown) => {
      if (shared.length === 0 || !isRefusal(error)) throw error;
      return send([]);
    });
  } catch (error) {
    if (isRefusal(error)) throw imageNotLoaded(imageId, error.message);
    throw error;
  }
  say(`Loaded the image in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
}

/** The lowest layers that an image in the engine has, too: as many as they have in common. */
async function sharedLayers(
  engine: EngineClient,
  { config, layers }: ImageBlobs,
  relatives: readonly string[],
): Promise<readonly ImageBlob[]> {
  const parsed: unknown = await json(Readable.from(config.read()));
  if (!Value.Check(Config, parsed)) return [];
  const wanted = parsed.rootfs.diff_ids;
  let most = 0;
  for (const relative of relatives) {
    const there = (await engine.image(relative))?.RootFS?.Layers ?? [];
    const different = wanted.findIndex((diffId, index) => diffId !== there[index]);
    most = Math.max(most, different === -1 ? wanted.length : different);
  }
  return layers.slice(0, most);
}

async function* withProgress(
  archive: AsyncIterable<Uint8Array>,
  report: (sentBytes: number) => void,
): AsyncIterable<Uint8Array> {
  let sent = 0;
  let saidAt = performance.now();
  for await (const chunk of archive) {
    yield chunk;
    sent += chunk.length;
    if (performance.now() - saidAt < PROGRESS_MS) continue;
    saidAt = performance.now();
    report(sent);
  }
}

function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && error.code !== "EngineUnreachable";
}

function inMegabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1_000_000))} MB`;
}
