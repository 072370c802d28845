import type { IncomingMessage } from "node:http";
import { AppError } from "../../platform/errors.ts";
import { pause } from "../../platform/pause.ts";
import { discard } from "./http-exchange.ts";
import { type PushedContent, reasonOf } from "./pushed-content.ts";
import type { RegistrySession } from "./registry-session.ts";
import { connectionBroken, pushRefused, registryFailed } from "./remote-errors.ts";

/** Small enough that a broken connection costs little, large enough that a round trip costs nothing. */
const CHUNK_BYTES = 32 * 1024 * 1024;
const MAX_FAILURES = 4;

/**
 * Sends a blob unless the registry has it, in pieces; after a broken connection it asks how far it came and goes on from
 * there (distribution specification, "Pushing a blob in chunks").
 */
export async function pushBlob(
  session: RegistrySession,
  content: PushedContent,
  signal: AbortSignal,
): Promise<boolean> {
  if (await hasBlob(session, content, signal)) return false;
  let upload = await begin(session, content, signal);
  for (let failures = 0; upload.position < content.size; ) {
    try {
      await sendChunk(session, content, upload, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransport(error)) throw error;
      if (++failures === MAX_FAILURES) throw connectionBroken(session.host, upload.position, content.size, error);
      await pause(300 * 2 ** failures, signal);
      // Some registries forget an upload whose connection broke.
      if (!(await askPosition(session, content, upload, signal))) upload = await begin(session, content, signal);
    }
  }
  await finish(session, content, upload, signal);
  return true;
}

async function begin(session: RegistrySession, content: PushedContent, signal: AbortSignal): Promise<Upload> {
  const headers = { "Content-Length": "0" };
  const started = await session.request("blobs/uploads/", { method: "POST", headers, signal });
  if (started.statusCode !== 202) throw pushRefused(session.host, content.digest, await reasonOf(started));
  discard(started);
  return { location: locationOf(session, started), minimum: minimumOf(started), position: 0 };
}

interface Upload {
  location: URL;
  readonly minimum: number;
  /** bytes that the registry has */
  position: number;
}

async function hasBlob(session: RegistrySession, { digest }: PushedContent, signal: AbortSignal): Promise<boolean> {
  const answer = await session.request(`blobs/${digest}`, { method: "HEAD", signal });
  discard(answer);
  return answer.statusCode === 200;
}

async function sendChunk(
  session: RegistrySession,
  content: PushedContent,
  upload: Upload,
  signal: AbortSignal,
): Promise<void> {
  const start = upload.position;
  const end = Math.min(content.size, start + Math.max(CHUNK_BYTES, upload.minimum)) - 1;
  const answer = await session.request(upload.location, {
    method: "PATCH",
    headers: {
      "Content-Type": "application/octet-stream",
      "Content-Length": String(end - start + 1),
      "Content-Range": `${start}-${end}`,
    },
    body: () => content.read({ start, end }),
    signal,
  });
  if (answer.statusCode !== 202) throw pushRefused(session.host, content.digest, await reasonOf(answer));
  discard(answer);
  upload.location = locationOf(session, answer);
  upload.position = end + 1;
}

/** After a failure only the registry knows what it has. @returns false when it has forgotten the upload */
async function askPosition(
  session: RegistrySession,
  content: PushedContent,
  upload: Upload,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await session.request(upload.location, { method: "GET", signal });
  discard(answer);
  if (answer.statusCode !== 204) return false;
  const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? "")?.[1];
  // "0-0" stands for nothing as well as for one byte.
  const position = last === undefined || last === "0" ? 0 : Number(last) + 1;
  if (position > content.size) return false;
  upload.position = position;
  upload.location = locationOf(session, answer, upload.location);
  return true;
}

async function finish(
  session: RegistrySession,
  content: PushedContent,
  upload: Upload,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(upload.location);
  url.searchParams.set("digest", content.digest);
  const answer = await session.request(url, { method: "PUT", headers: { "Content-Length": "0" }, signal });
  if (answer.statusCode !== 201) throw pushRefused(session.host, content.digest, await reasonOf(answer));
  discard(answer);
}

function locationOf(session: RegistrySession, answer: IncomingMessage, before?: URL): URL {
  const { location } = answer.headers;
  if (location === undefined && before !== undefined) return before;
  const url = session.resolve(location ?? "");
  if (url === undefined) throw registryFailed(session.host, "it named no address for the upload");
  return url;
}

function minimumOf(answer: IncomingMessage): number {
  const minimum = Number(answer.headers["oci-chunk-min-length"] ?? 0);
  return Number.isSafeInteger(minimum) && minimum > 0 && minimum <= 1024 ** 3 ? minimum : 0;
}

const isTransport = (error: unknown) =>
  error instanceof AppError && ["RegistryUnreachable", "RegistrySilent", "RegistryFailed"].includes(error.code);
