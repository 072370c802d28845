import type { Bytes, FileSource } from "./file-source.ts";
import { type Fetch, reach } from "./http.ts";
import { errorFromResponse, isSlipwayError } from "./slipway-error.ts";

/** What one request carries, and what is lost when it fails. With the lanes below it also bounds the memory: 32 MiB. */
const BLOCK_BYTES = 8 * 1024 * 1024;
const LANES = 4;
const TRIES = 3;
/**
 * Up to here one request carries the file: the server then writes every byte once, blocks it writes twice. Above, it is worse to
 * begin again after a failure than to be slower.
 */
const STREAMED_BYTES = 4 * 1024 * 1024 * 1024;

export interface BlobUploadOptions {
  /** bytes that have left since the last call; negative when they have to be sent again */
  readonly onSent?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one file to its upload address (wire contract, 5.3). What an interrupted upload left there is not sent again. */
export async function uploadBlob(
  fetch: Fetch,
  uploadUri: string,
  file: FileSource,
  options: BlobUploadOptions = {},
): Promise<void> {
  const address = new URL(uploadUri);
  if (file.sizeBytes <= BLOCK_BYTES) {
    await put(fetch, address.href, await file.slice(0, file.sizeBytes), wholeFile, options.signal);
    options.onSent?.(file.sizeBytes);
    return;
  }
  const present = await uncommittedBlocks(fetch, address, options.signal);
  if (present.size === 0 && (await uploadInOneRequest(fetch, uploadUri, file, options)) !== undefined) return;
  await uploadBlocks(fetch, address, file, present, options);
}

const wholeFile = { "content-type": "application/octet-stream", "x-ms-blob-type": "BlockBlob" } as const;

export interface SentFile {
  /** of what the server stored, in hex; undefined if something on the way took the header that says it */
  readonly sha256: string | undefined;
}

/**
 * @returns undefined if this platform has no streams to send, the file is too large for one request, or the connection broke: then
 * it goes in blocks
 */
export async function uploadInOneRequest(
  fetch: Fetch,
  uploadUri: string,
  file: FileSource,
  options: BlobUploadOptions = {},
): Promise<SentFile | undefined> {
  const content = file.sizeBytes <= STREAMED_BYTES ? file.stream?.() : undefined;
  if (content === undefined) return undefined;
  let sent = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      sent += chunk.byteLength;
      options.onSent?.(chunk.byteLength);
      controller.enqueue(chunk);
    },
  });
  const body = content.pipeThrough(counter);
  try {
    const init: RequestWithStream = { method: "PUT", headers: wholeFile, body, duplex: "half" };
    const { headers } = await request(fetch, uploadUri, init, options.signal);
    return { sha256: /^"sha256:([0-9a-f]{64})"$/.exec(headers.get("etag") ?? "")?.[1] };
  } catch (error) {
    // A fetch that read from it has given it up already.
    if (!body.locked) await body.cancel();
    if (!isSlipwayError(error) || error.code !== "ServerUnreachable") throw error;
    options.onSent?.(-sent);
    return undefined;
  }
}

/** Several blocks at a time, each tried again by itself. */
async function uploadBlocks(
  fetch: Fetch,
  address: URL,
  file: FileSource,
  present: ReadonlyMap<string, number>,
  options: BlobUploadOptions,
): Promise<void> {
  const blocks = Array.from({ length: Math.ceil(file.sizeBytes / BLOCK_BYTES) }, (_, index) => ({
    id: btoa(String(index).padStart(8, "0")),
    start: index * BLOCK_BYTES,
    end: Math.min((index + 1) * BLOCK_BYTES, file.sizeBytes),
  }));
  const queue = blocks.values();
  const lane = async () => {
    for (const block of queue) {
      const size = block.end - block.start;
      if (present.get(block.id) !== size) {
        const url = withQuery(address, { comp: "block", blockid: block.id });
        const headers = { "content-type": "application/octet-stream" };
        await put(fetch, url, await file.slice(block.start, block.end), headers, options.signal);
      }
      options.onSent?.(size);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const list = blocks.map((block) => `<Latest>${block.id}</Latest>`).join("");
  const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`;
  const headers = { "content-type": "application/xml" };
  await put(fetch, withQuery(address, { comp: "blocklist" }), body, headers, options.signal);
}

function withQuery(address: URL, query: Readonly<Record<string, string>>): string {
  const url = new URL(address);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  return url.href;
}

/** Id to size of what an interrupted upload left; nothing if the server does not say. */
async function uncommittedBlocks(fetch: Fetch, address: URL, signal: AbortSignal | undefined) {
  const url = withQuery(address, { comp: "blocklist", blocklisttype: "uncommitted" });
  const response = await reach(fetch, url, { ...(signal === undefined ? {} : { signal }) });
  const text = await response.text();
  const found = new Map<string, number>();
  if (!response.ok) return found;
  for (const [, id, size] of text.matchAll(/<Name>([^<]*)<\/Name>\s*<Size>(\d+)<\/Size>/g)) {
    if (id !== undefined) found.set(id, Number(size));
  }
  return found;
}

/** `duplex` is part of the fetch standard; the platform's types do not have it yet. */
type RequestWithStream = RequestInit & { readonly duplex?: "half" };

/** Every PUT here is idempotent, so a lost connection only costs a repetition. */
async function put(
  fetch: Fetch,
  url: string,
  body: Bytes | string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await request(fetch, url, { method: "PUT", headers, body }, signal);
      return;
    } catch (error) {
      if (attempt === TRIES || !isSlipwayError(error) || error.code !== "ServerUnreachable") throw error;
    }
  }
}

async function request(
  fetch: Fetch,
  url: string,
  init: RequestWithStream,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const response = await reach(fetch, url, signal === undefined ? init : { ...init, signal });
  if (!response.ok) throw await errorFromResponse(response);
  await response.body?.cancel();
  return response;
}
