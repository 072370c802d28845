import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One HTTP/2 connection to the gateway. */
export function http2Caller(port: number) {
  const session = connect(`https://localhost:${port}`, { rejectUnauthorized: false });
  session.on("error", () => {});

  function call(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Answer> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ":method": "POST", ...headers });
      const parts: Buffer[] = [];
      let answered: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      stream.on("response", (received) => {
        answered = received;
      });
      stream.on("trailers", (received) => {
        trailers = received;
      });
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("error", reject);
      stream.on("end", () =>
        resolve({ status: Number(answered[":status"]), headers: answered, trailers, body: Buffer.concat(parts) }),
      );
      stream.end(body);
    });
  }

  return {
    session,
    call,
    grpc(metadata: OutgoingHttpHeaders, body: Buffer, path = "/inference.GRPCInferenceService/ModelInfer") {
      return call({ ":path": path, "content-type": "application/grpc", te: "trailers", ...metadata }, body);
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

/** A gRPC message with its prefix. */
export function message(text: string, compressed = 0, announced = Buffer.byteLength(text)): Buffer {
  const prefix = Buffer.from([compressed, 0, 0, 0, 0]);
  prefix.writeUInt32BE(announced, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}
