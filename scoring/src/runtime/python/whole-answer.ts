import { FrameKind } from "@slipway/api/frames";
import { type AnswerSink, answerCause } from "../../exchange.ts";
import { decodeResponse, encodeResponse } from "../../frame-message.ts";

/** More than this is not collected of an answer that a script gives piece by piece. */
const MAX_COLLECTED_BYTES = 256 * 1024 * 1024;

/** For protocols that know no streams: collects the pieces of an answer and gives it on as one RESPONSE. */
export function wholeAnswer(respond: (body: Uint8Array) => void): AnswerSink {
  let first: ReturnType<typeof decodeResponse> | undefined;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const fail = (message: string) =>
    answerCause((_, body) => respond(body), 424, { code: "RunFailed", message }, { runFailed: true });
  return (kind, body, taken) => {
    switch (kind) {
      case FrameKind.RESPONSE:
        respond(body);
        return;
      case FrameKind.STREAM:
        first = decodeResponse(body);
        pieces.push(first.payload);
        return;
      case FrameKind.DATA:
        bytes += body.length;
        // A copy: the piece is part of a buffer that may be much larger.
        if (bytes <= MAX_COLLECTED_BYTES) pieces.push(new Uint8Array(body));
        taken?.();
        return;
      case FrameKind.END: {
        if (first === undefined) return;
        if (body.length > 0) fail(Buffer.from(body).toString());
        else if (bytes > MAX_COLLECTED_BYTES) fail(`run() gave more than ${MAX_COLLECTED_BYTES} bytes piece by piece.`);
        else respond(encodeResponse(first.status, first.head.h, Buffer.concat(pieces)));
        return;
      }
      default:
        return;
    }
  };
}
