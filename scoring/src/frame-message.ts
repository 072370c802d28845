import { FrameKind, type RequestHead, type ResponseHead } from "@slipway/api/frames";

/** The bodies of REQUEST and RESPONSE frames as buffers. A malformed body throws {@link FrameMessageError}. */
export class FrameMessageError extends Error {
  readonly code = "BadFrameMessage";
}

export interface RequestMessage {
  readonly head: RequestHead;
  readonly payload: Buffer;
}

export interface ResponseMessage {
  readonly status: number;
  readonly head: ResponseHead;
  readonly payload: Buffer;
}

const LENGTH_BYTES = 4;
const STATUS_BYTES = 2;

export function encodeRequest(head: RequestHead, payload: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const body = Buffer.allocUnsafe(LENGTH_BYTES + json.length + payload.length);
  body.writeUInt32BE(json.length);
  json.copy(body, LENGTH_BYTES);
  body.set(payload, LENGTH_BYTES + json.length);
  return body;
}

export function decodeRequest(body: Uint8Array): RequestMessage {
  const { head, payload } = split(body, 0);
  const { m, p, q, h, i, t } = head;
  if (typeof m !== "string" || typeof p !== "string" || typeof i !== "string" || !isTexts(h)) {
    throw new FrameMessageError("A request's head lacks m, p, i or h.");
  }
  return {
    head: { m, p, h, i, ...(typeof q === "string" && { q }), ...(typeof t === "number" && { t }) },
    payload,
  };
}

export function encodeResponse(status: number, headers: ResponseHead["h"], payload: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify({ h: headers }));
  const body = Buffer.allocUnsafe(STATUS_BYTES + LENGTH_BYTES + json.length + payload.length);
  body.writeUInt16BE(status);
  body.writeUInt32BE(json.length, STATUS_BYTES);
  json.copy(body, STATUS_BYTES + LENGTH_BYTES);
  body.set(payload, STATUS_BYTES + LENGTH_BYTES + json.length);
  return body;
}

export function decodeResponse(body: Uint8Array): ResponseMessage {
  const { head, payload } = split(body, STATUS_BYTES);
  if (!isTexts(head.h)) throw new FrameMessageError("A response's head lacks h.");
  return { status: asBuffer(body).readUInt16BE(0), head: { h: head.h }, payload };
}

export function decodeJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(asBuffer(body).toString("utf8"));
  } catch (cause) {
    throw new FrameMessageError("A frame's JSON cannot be read.", { cause });
  }
}

/** A buffer over the same bytes. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The last frame of an exchange: nothing comes for its id any more. */
export function isFinal(kind: number): boolean {
  return kind === FrameKind.RESPONSE || kind === FrameKind.END;
}

function split(body: Uint8Array, at: number): { head: Record<string, unknown>; payload: Buffer } {
  const bytes = asBuffer(body);
  const start = at + LENGTH_BYTES;
  if (bytes.length < start) throw new FrameMessageError("A frame is too short for its head.");
  const end = start + bytes.readUInt32BE(at);
  if (end > bytes.length) throw new FrameMessageError("A frame's head reaches beyond the frame.");
  const head = decodeJson(bytes.subarray(start, end));
  if (typeof head !== "object" || head === null) throw new FrameMessageError("A frame's head is not an object.");
  return { head: head as Record<string, unknown>, payload: bytes.subarray(end) };
}

function isTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  for (const name in value) if (typeof (value as Record<string, unknown>)[name] !== "string") return false;
  return true;
}
