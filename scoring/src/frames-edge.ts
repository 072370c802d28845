import { createServer, type Socket } from "node:net";
import type { ScorerConfig } from "@slipway/api";
import { FRAME_PROTOCOL_VERSION, FrameKind } from "@slipway/api/frames";
import { IdMap } from "@slipway/api/id-map";
import type { RequestHandler } from "./exchange.ts";
import { type FrameConnection, frameConnection } from "./frame-connection.ts";
import { decodeJson, decodeRequest, isFinal } from "./frame-message.ts";
import { listenOnSocket } from "./listening-socket.ts";
import type { ScorerLog } from "./scorer-log.ts";

export interface FramesEdge {
  peers(): number;
  announceDraining(): void;
  /** Lets answers reach the gateway, for two seconds. */
  close(): Promise<void>;
}

type FramesConfig = Pick<ScorerConfig, "framesSocket" | "maxBodyBytes" | "nonce">;

/** Heads are small; a frame beyond the body's limit by this much comes from nobody who keeps the protocol. */
const HEAD_ALLOWANCE_BYTES = 1024 * 1024;
/** A stream whose reader is this far behind is broken off: the alternative is to hold all of it in memory. */
const MAX_UNREAD_STREAM_BYTES = 64 * 1024 * 1024;
const CLOSE_MS = 2_000;
const CLOSE_CHECK_MS = 10;

/** The listener for the gateway. */
export async function listenForFrames(
  config: FramesConfig,
  handle: RequestHandler,
  log: ScorerLog,
): Promise<FramesEdge> {
  const connections = new Set<FrameConnection>();
  let draining = false;
  const server = createServer((socket) => {
    const connection = serve(socket, config, handle, (error) => {
      connections.delete(connection);
      if (error !== undefined) log.write("scorer", `A frames connection ended: ${error.message}`);
    });
    connections.add(connection);
    if (draining) connection.send(0, FrameKind.EVENT, DRAINING);
  });
  await listenOnSocket(server, config.framesSocket);
  return {
    peers: () => connections.size,
    announceDraining() {
      draining = true;
      server.close();
      for (const connection of connections) connection.send(0, FrameKind.EVENT, DRAINING);
    },
    async close() {
      const deadline = performance.now() + CLOSE_MS;
      for (const connection of connections) {
        connection.end();
        while (connection.pendingBytes() > 0 && performance.now() < deadline) {
          await new Promise((resolve) => setTimeout(resolve, CLOSE_CHECK_MS));
        }
      }
    },
  };
}

const DRAINING = Buffer.from(JSON.stringify({ draining: true }));

function serve(
  socket: Socket,
  config: FramesConfig,
  handle: RequestHandler,
  closed: (error: Error | undefined) => void,
): FrameConnection {
  const cancels = new IdMap<() => void>();
  let greeted = false;

  const onRequest = (id: number, body: Uint8Array) => {
    if (cancels.has(id)) throw new Error(`The peer used the id ${id} twice at once.`);
    let answered = false;
    const cancel = handle({ ...decodeRequest(body), body }, (kind, answer, taken) => {
      answered = isFinal(kind);
      if (answered) cancels.delete(id);
      if (kind === FrameKind.DATA && connection.pendingBytes() > MAX_UNREAD_STREAM_BYTES) {
        cancels.get(id)?.();
        cancels.delete(id);
        connection.send(id, FrameKind.END, Buffer.from("The answer was read too slowly."));
        return;
      }
      connection.send(id, kind, answer, taken);
    });
    if (!answered) cancels.set(id, cancel);
  };

  const connection = frameConnection(
    socket,
    {
      frame({ id, kind, body }) {
        if (!greeted) {
          if (kind !== FrameKind.HELLO) throw new Error("The peer did not begin with HELLO.");
          checkHello(decodeJson(body), config.nonce);
          greeted = true;
        } else if (kind === FrameKind.REQUEST) {
          onRequest(id, body);
        } else if (kind === FrameKind.CANCEL) {
          cancels.get(id)?.();
          cancels.delete(id);
        } else if (kind !== FrameKind.EVENT) {
          throw new Error(`An asker does not send frames of kind ${kind}.`);
        }
      },
      closed(error) {
        for (const cancel of cancels.values()) cancel();
        cancels.clear();
        closed(error);
      },
    },
    { maxFrameBytes: config.maxBodyBytes + HEAD_ALLOWANCE_BYTES, pauseWhenFull: true },
  );
  connection.send(
    0,
    FrameKind.HELLO,
    Buffer.from(JSON.stringify({ protocol: FRAME_PROTOCOL_VERSION, role: "scorer", nonce: config.nonce })),
  );
  return connection;
}

function checkHello(value: unknown, nonce: string): void {
  const hello = Object(value) as Record<string, unknown>;
  if (hello.protocol !== FRAME_PROTOCOL_VERSION) {
    throw new Error(
      `The peer speaks version ${String(hello.protocol)} of the protocol, not ${FRAME_PROTOCOL_VERSION}.`,
    );
  }
  if (hello.nonce !== undefined && hello.nonce !== nonce) throw new Error("The peer looks for another replica.");
}
