import type { IncomingMessage } from "node:http";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { AppError } from "../../platform/errors.ts";
import { pause } from "../../platform/pause.ts";
import type { Descriptor } from "../registry.ts";
import { discard, SilenceError } from "./http-exchange.ts";
import type { RegistrySession } from "./registry-session.ts";
import { connectionBroken, registryFailed, registrySilent, remoteBlobCorrupt } from "./remote-errors.ts";
import { isBroken } from "./transport-failure.ts";

/** A connection that breaks is taken up again where it broke; with hardly any progress so often, and in all so often. */
const MAX_FRUITLESS = 5;
const MAX_RESUMES = 50;
const PROGRESS_BYTES = 64 * 1024;
/** Who sends less than this in the time holds the build, whether it means to or not. */
const SLOWEST = { bytes: 32 * 1024, ms: 30_000 };

/**
 * Streams a blob into the store, from the network to the disk with flat memory. Nothing is stored unless size and digest are
 * those of the descriptor. What another pull has fetched, or fetches just now, is not fetched again, and neither is what came before
 * this process was killed or gave up.
 *
 * @throws {AppError} RemoteBlobCorrupt, ConnectionBroken, RegistrySilent, RegistryFailed
 */
export async function pullBlob(
  session: RegistrySession,
  { digest, size }: Descriptor,
  blobs: BlobStore,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await blobs.receive(digest, (position) => received(session, { digest, size }, position, signal), signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const mismatch = error instanceof AppError && error.code === "BlobDigestMismatch";
      if (!mismatch) throw error;
      // Bytes may have changed on the way, or where the connection broke: once more from the beginning.
      if (attempt === 2) throw remoteBlobCorrupt(session.host, digest, "its bytes have another digest");
    }
  }
}

async function* received(
  session: RegistrySession,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  start: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { host } = session;
  let position = start;
  let fruitless = 0;
  // Everything had come. More than that is no part of it: the digest will tell.
  if (position >= size) return;
  for (let resumes = 0; ; resumes++) {
    const begun = position;
    let failure: unknown;
    try {
      for await (const chunk of bytesFrom(session, digest, position, signal)) {
        position += chunk.length;
        if (position > size) throw remoteBlobCorrupt(host, digest, `it has more than the announced ${size} bytes`);
        yield chunk;
      }
      if (position === size) return;
    } catch (error) {
      signal.throwIfAborted();
      if (!mayResume(error, position)) throw error;
      failure = error;
    }
    // Silence has cost much time already.
    const weight = failure instanceof SilenceError ? 3 : 1;
    fruitless = position - begun < PROGRESS_BYTES ? fruitless + weight : 0;
    if (fruitless >= MAX_FRUITLESS || resumes === MAX_RESUMES) {
      throw failure instanceof SilenceError
        ? registrySilent(host, SLOWEST.ms)
        : connectionBroken(host, position, size, failure);
    }
    await pause(100 * 2 ** fruitless, signal);
  }
}

/** A registry that is restarted under a download is away for a moment. */
function mayResume(error: unknown, position: number): boolean {
  const isAway = error instanceof AppError && error.code === "RegistryUnreachable" && position > 0;
  return isBroken(error) || isAway || error instanceof SilenceError;
}

/** The blob from a position on, also from a registry that knows no ranges. */
async function* bytesFrom(
  session: RegistrySession,
  digest: string,
  position: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const headers = position === 0 ? {} : { Range: `bytes=${position}-` };
  const answer = await session.request(`blobs/${digest}`, { method: "GET", headers, signal });
  try {
    let toSkip = bytesToSkip(session.host, digest, answer, position);
    for await (const chunk of notTooSlow(answer)) {
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  } finally {
    discard(answer);
  }
}

function bytesToSkip(host: string, digest: string, answer: IncomingMessage, position: number): number {
  const { statusCode, headers } = answer;
  if (statusCode === 200) return position;
  if (statusCode === 206 && position > 0) {
    const start = /^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1];
    if (Number(start) === position) return 0;
    throw registryFailed(host, `asked for the bytes from ${position} on it gave others`);
  }
  if (statusCode === 404) throw remoteBlobCorrupt(host, digest, "the registry does not have it");
  if (statusCode === 416) throw remoteBlobCorrupt(host, digest, `it ends before byte ${position}`);
  throw registryFailed(host, `it answered ${statusCode} for a part of the image`);
}

async function* notTooSlow(answer: IncomingMessage): AsyncIterable<Buffer> {
  let since = performance.now();
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    yield chunk;
    const now = performance.now();
    if (now - since < SLOWEST.ms) continue;
    if (bytes < SLOWEST.bytes) throw new SilenceError();
    since = now;
    bytes = 0;
  }
}
