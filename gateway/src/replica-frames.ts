import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_PROTOCOL_VERSION,
  FrameKind,
  type Hello,
  type RequestHead,
  writeFrameHeader,
} from "@slipway/api";
import { type AnswerHead, answerHeads } from "./answer-head.ts";

/** Bodies up to this size are copied behind their head, so that a small request is one piece. */
const JOIN_BELOW_BYTES = 16 * 1024;

export const helloFrame: Uint8Array = encodeFrame(
  0,
  FrameKind.HELLO,
  Buffer.from(JSON.stringify({ protocol: FRAME_PROTOCOL_VERSION, role: "gateway" } satisfies Hello)),
);

export function cancelFrame(id: number): Uint8Array {
  return encodeFrame(id, FrameKind.CANCEL, new Uint8Array());
}

export function requestFrame(id: number, head: RequestHead, body: readonly Uint8Array[]): readonly Uint8Array[] {
  const json = JSON.stringify(head);
  const headBytes = Buffer.byteLength(json);
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  const joined = bodyBytes <= JOIN_BELOW_BYTES;
  const first = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 4 + headBytes + (joined ? bodyBytes : 0));
  writeFrameHeader(first, 0, id, FrameKind.REQUEST, 4 + headBytes + bodyBytes);
  first.writeUInt32BE(headBytes, FRAME_HEADER_BYTES);
  let at = FRAME_HEADER_BYTES + 4;
  at += first.write(json, at);
  if (!joined) return [first, ...body];
  for (const part of body) {
    first.set(part, at);
    at += part.length;
  }
  return [first];
}

export interface AnswerStart {
  readonly status: number;
  readonly head: AnswerHead;
  readonly payload: Buffer;
}

/** Takes RESPONSE and STREAM bodies apart; says in words what is wrong with them. */
export function answerReader(): (body: Uint8Array) => AnswerStart | string {
  const readHead = answerHeads();
  return (body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    if (bytes.length < 6) return "its frame is too short";
    const headEnd = 6 + bytes.readUInt32BE(2);
    if (headEnd > bytes.length) return "the head is longer than its frame";
    const head = readHead(bytes.subarray(6, headEnd));
    return typeof head === "string" ? head : { status: bytes.readUInt16BE(0), head, payload: bytes.subarray(headEnd) };
  };
}

/** What is wrong with the other side's HELLO, if anything. The nonce proves that the socket belongs to the replica of the route. */
export function helloProblem(body: Uint8Array, nonce: string): string | undefined {
  let hello: Partial<Record<keyof Hello, unknown>> | null;
  try {
    hello = JSON.parse(Buffer.from(body).toString());
  } catch {
    return "its HELLO is not JSON";
  }
  if (hello?.protocol !== FRAME_PROTOCOL_VERSION) {
    return `it speaks frame protocol ${String(hello?.protocol)}, the gateway ${FRAME_PROTOCOL_VERSION}`;
  }
  if (hello.role !== "scorer") return `it is a ${String(hello.role)}, not a scorer`;
  if (hello.nonce !== nonce) return "it belongs to another replica (its nonce differs)";
  return undefined;
}

/** A scorer that is about to stop says so: EVENT `{ "draining": true }`. */
export function saysDraining(body: Uint8Array): boolean {
  try {
    const event: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof event === "object" && event !== null && "draining" in event && event.draining === true;
  } catch {
    return false;
  }
}
