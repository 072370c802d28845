import { connect } from "node:net";
import {
  encodeFrame,
  FRAME_PROTOCOL_VERSION,
  type Frame,
  FrameDecoder,
  FrameKind,
  type Hello,
  type RequestHead,
} from "@slipway/api";
import { newUuid } from "../platform/ids.ts";

export interface ReplicaRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface ReplicaAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

const REQUEST_ID = 1;
/** A sample's answer is read whole; one that is larger than this tells nothing more. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/**
 * One request over a connection of its own to a replica's frame socket: the way that traffic will take.
 *
 * @throws {Error} when the socket is not that replica's, breaks off, or speaks another protocol; the signal's reason
 */
export function callReplica(
  replica: { readonly framesSocket: string; readonly nonce: string },
  request: ReplicaRequest,
  signal: AbortSignal,
): Promise<ReplicaAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ReplicaAnswer>();
  const socket = connect(replica.framesSocket);
  const parts: Uint8Array[] = [];
  let status = 0;

  const abort = () => socket.destroy(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();

  const decoder = new FrameDecoder(onFrame, MAX_ANSWER_BYTES);
  socket.on("connect", () => {
    socket.write(
      encodeFrame(0, FrameKind.HELLO, json({ protocol: FRAME_PROTOCOL_VERSION, role: "control" } satisfies Hello)),
    );
  });
  socket.on("data", (chunk) => {
    try {
      decoder.push(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on("error", reject);
  socket.on("close", () => {
    signal.removeEventListener("abort", abort);
    reject(signal.aborted ? signal.reason : new Error("The replica closed the connection before it answered."));
  });
  return promise;

  function onFrame({ id, kind, body }: Frame): void {
    if (id === 0 && kind === FrameKind.HELLO) greet(JSON.parse(text(body)) as Hello);
    if (id !== REQUEST_ID) return;
    if (kind === FrameKind.RESPONSE || kind === FrameKind.STREAM) {
      const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
      status = view.getUint16(0);
      parts.push(body.slice(6 + view.getUint32(2)));
    }
    if (kind === FrameKind.DATA) parts.push(body.slice());
    if (kind === FrameKind.END && body.length > 0) socket.destroy(new Error(text(body)));
    else if (kind === FrameKind.RESPONSE || kind === FrameKind.END) {
      resolve({ status, body: Buffer.concat(parts) });
      socket.destroy();
    }
  }

  function greet({ protocol, nonce }: Hello): void {
    if (protocol !== FRAME_PROTOCOL_VERSION || nonce !== replica.nonce) {
      socket.destroy(new Error("The socket belongs to another replica than the one that was started."));
      return;
    }
    const { method, path, headers = {}, body = new Uint8Array() } = request;
    const head = json({ m: method, p: path, h: headers, i: newUuid() } satisfies RequestHead);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    socket.write(encodeFrame(REQUEST_ID, FrameKind.REQUEST, Buffer.concat([length, head, body])));
  }
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
