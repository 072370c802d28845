import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { encodeFrame, FRAME_PROTOCOL_VERSION, FrameDecoder, FrameKind, type Hello } from "@slipway/api";

/** A scorer that does nothing: the same short answer to everything, by HTTP and by frames. */
const [port, framesSocket, nonce = ""] = process.argv.slice(2);
const payload = Buffer.from('{"answer":42}');
const head = Buffer.from(JSON.stringify({ h: { "content-type": "application/json" } }));
const start = Buffer.alloc(6);
start.writeUInt16BE(200, 0);
start.writeUInt32BE(head.length, 2);
const answer = Buffer.concat([start, head, payload]);
const hello: Hello = { protocol: FRAME_PROTOCOL_VERSION, role: "scorer", nonce };

createHttpServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, ["content-type", "application/json", "content-length", String(payload.length)]);
    response.end(payload.toString("latin1"), "latin1");
  });
}).listen(Number(port), "127.0.0.1");

createServer((socket) => {
  let answers: Uint8Array[] = [];
  const decoder = new FrameDecoder(({ id, kind }) => {
    if (kind === FrameKind.HELLO) answers.push(encodeFrame(0, FrameKind.HELLO, Buffer.from(JSON.stringify(hello))));
    if (kind === FrameKind.REQUEST) answers.push(encodeFrame(id, FrameKind.RESPONSE, answer));
  });
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    answers = [];
    decoder.push(chunk);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
  });
}).listen(framesSocket);
