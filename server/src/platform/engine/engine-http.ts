import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { errnoCode } from "../errors.ts";
import { engineFailed, engineRefused, engineUnreachable } from "./engine-errors.ts";

export interface EngineCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** with its query, without the version */
  readonly path: string;
  readonly body?: unknown;
  /** sent as tar instead of a `body`, as fast as the engine takes it */
  readonly archive?: AsyncIterable<Uint8Array>;
  /** statuses that are an answer, beside 2xx */
  readonly expected?: readonly number[];
  /** how long the engine may be silent */
  readonly silenceMs?: number;
  readonly signal?: AbortSignal;
}

export interface EngineAnswer {
  readonly status: number;
  readonly body: IncomingMessage;
}

const SILENCE_MS = 30_000;
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/**
 * One HTTP call over the engine's socket.
 *
 * @throws {AppError} EngineUnreachable when nobody answers, EngineRefused with the engine's own words for any other status
 */
export async function callEngine(socketPath: string, call: EngineCall): Promise<EngineAnswer> {
  const { method, path, archive, expected = [] } = call;
  call.signal?.throwIfAborted();
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  const asked = request({
    socketPath,
    method,
    path,
    agent: false,
    timeout: call.silenceMs ?? SILENCE_MS,
    ...(call.signal && { signal: call.signal }),
    headers: {
      // HTTP/1.1 wants one; engines ignore it.
      host: "engine",
      ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      ...(archive && { "content-type": "application/x-tar" }),
    },
  });
  asked.on("timeout", () => asked.destroy(new Error(`no answer for ${(call.silenceMs ?? SILENCE_MS) / 1000} s`)));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asked.on("response", resolve);
    asked.on("error", reject);
  });
  // While an archive is sent nobody waits for it; its failure is the sending's, too.
  answered.catch(() => undefined);
  try {
    if (archive === undefined) asked.end(text);
    else await Promise.race([send(archive, asked), answered]);
    const body = await answered;
    const status = body.statusCode ?? 0;
    if ((status >= 200 && status < 300) || expected.includes(status)) return { status, body };
    throw engineRefused(`${method} ${path}`, status, messageOf(await readText(body)));
  } catch (error) {
    asked.destroy();
    call.signal?.throwIfAborted();
    if (isNobodyThere(error)) throw engineUnreachable(socketPath, errnoCode(error) ?? "");
    throw engineFailed(`${method} ${path}`, error);
  }
}

/** An engine that refuses an archive half-way answers and closes: its answer tells more than the broken pipe. */
async function send(archive: AsyncIterable<Uint8Array>, asked: ReturnType<typeof request>): Promise<void> {
  await pipeline(archive, asked).catch((error: unknown) => {
    if (errnoCode(error) !== "EPIPE" && errnoCode(error) !== "ECONNRESET") throw error;
  });
}

/** A long answer as it comes. @throws {AppError} EngineFailed when it breaks off */
export async function* readChunks(body: IncomingMessage, call: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw engineFailed(call, error);
  }
}

export async function readText(body: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_TEXT_BYTES) throw new Error(`The engine's answer is larger than ${MAX_TEXT_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Both engines answer failures with `{"message": …}`. */
function messageOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "message" in value) return String(value.message);
  } catch {
    // Not JSON: a proxy, or a page.
  }
  return text.slice(0, 500);
}

/** A file of the archive that is missing has the same codes. */
function isNobodyThere(error: unknown): boolean {
  return errnoCode(error) !== undefined && (error as NodeJS.ErrnoException).syscall === "connect";
}
