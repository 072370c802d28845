import { connect } from "node:net";
import { encodeFrame, FRAME_PROTOCOL_VERSION, FrameDecoder, FrameKind } from "@slipway/api";
import type { ReplicaObservation } from "./target.ts";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One `POST /score` to one replica, as the gateway does it. Rejects when nobody answers, or somebody with another nonce. */
export function score(replica: ReplicaObservation, body: string): Promise<Answer> {
  const { framesSocket } = replica;
  if (framesSocket === undefined) return Promise.reject(new Error(`The replica ${replica.id} has no frames socket.`));
  return new Promise((resolve, reject) => {
    const socket = connect(framesSocket);
    const decoder = new FrameDecoder(({ kind, body: answer }) => {
      if (kind === FrameKind.HELLO) {
        const { nonce } = JSON.parse(Buffer.from(answer).toString("utf8"));
        if (nonce !== replica.nonce) socket.destroy(new Error("The socket belongs to another replica."));
      }
      if (kind === FrameKind.RESPONSE) {
        resolve(decodeAnswer(Buffer.from(answer)));
        socket.end();
      }
    });
    socket.on("data", (chunk) => decoder.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("The connection was closed without an answer.")));
    socket.write(encodeFrame(0, FrameKind.HELLO, json({ protocol: FRAME_PROTOCOL_VERSION, role: "gateway" })));
    socket.write(encodeFrame(1, FrameKind.REQUEST, encodeRequest(body)));
  });
}

function encodeRequest(body: string): Buffer {
  const head = json({ m: "POST", p: "/score", h: { "content-type": "application/json" }, i: "conformance" });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, Buffer.from(body)]);
}

function decodeAnswer(body: Buffer): Answer {
  const headBytes = body.readUInt32BE(2);
  return { status: body.readUInt16BE(0), text: body.subarray(6 + headBytes).toString("utf8") };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
