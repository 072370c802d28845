import type { Bytes, FileSource } from "./file-source.ts";
import { type Fetch, reach } from "./http.ts";
import { errorFromResponse, isSlipwayError } from "./slipway-error.ts";

/** What one request carries, and what is lost when it fails. With the lanes below it also bounds the memory: 32 MiB. */
const BLOCK_BYTES = 8 * 1024 * 1024;
const LANES = 4;
const TRIES = 3;

export interface BlobUploadOptions {
  /** bytes that have arrived since the last call */
  readonly onSent?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one file to its upload address (wire contract, 5.3). Above one block it goes in blocks, several at a time; blocks that an earlier try left
 * there are not sent again.
 */
export async function uploadBlob(
  fetch: Fetch,
  uploadUri: string,
  file: FileSource,
  options: BlobUploadOptions = {},
): Promise<void> {
  const address = new URL(uploadUri);
  const put = (url: string, body: Bytes | string, headers: Record<string, string>) =>
    send(fetch, url, body, headers, options.signal);

  if (file.sizeBytes <= BLOCK_BYTES) {
    await put(address.href, await file.slice(0, file.sizeBytes), {
      "content-type": "application/octet-stream",
      "x-ms-blob-type": "BlockBlob",
    });
    options.onSent?.(file.sizeBytes);
    return;
  }

  const blocks = Array.from({ length: Math.ceil(file.sizeBytes / BLOCK_BYTES) }, (_, index) => ({
    id: btoa(String(index).padStart(8, "0")),
    start: index * BLOCK_BYTES,
    end: Math.min((index + 1) * BLOCK_BYTES, file.sizeBytes),
  }));
  const present = await uncommittedBlocks(fetch, address, options.signal);
  const queue = blocks.values();
  const lane = async () => {
    for (const block of queue) {
      const size = block.end - block.start;
      if (present.get(block.id) !== size) {
        const url = withQuery(address, { comp: "block", blockid: block.id });
        await put(url, await file.slice(block.start, block.end), { "content-type": "application/octet-stream" });
      }
      options.onSent?.(size);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const list = blocks.map((block) => `<Latest>${block.id}</Latest>`).join("");
  await put(
    withQuery(address, { comp: "blocklist" }),
    `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`,
    { "content-type": "application/xml" },
  );
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

/** Every PUT here is idempotent, so a lost connection only costs a repetition. */
async function send(
  fetch: Fetch,
  url: string,
  body: Bytes | string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await reach(fetch, url, {
        method: "PUT",
        headers,
        body,
        ...(signal === undefined ? {} : { signal }),
      });
      if (!response.ok) throw await errorFromResponse(response);
      await response.body?.cancel();
      return;
    } catch (error) {
      if (attempt === TRIES || !isSlipwayError(error) || error.code !== "ServerUnreachable") throw error;
    }
  }
}
