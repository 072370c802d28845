import type { Socket } from "node:net";
import { FRAME_HEADER_BYTES, type Frame, FrameDecoder, type FrameKind, writeFrameHeader } from "@slipway/api/frames";

export interface FrameConnection {
  /** `sent` is called when the operating system has taken the frame */
  send(id: number, kind: FrameKind, body: Uint8Array, sent?: () => void): void;
  /** bytes that the other side has not taken yet */
  pendingBytes(): number;
  /** sends what is queued, then closes */
  end(): void;
  destroy(): void;
}

export interface FrameHandlers {
  frame(frame: Frame): void;
  /** once, when nothing can come any more; `error` when the connection broke or the other side does not keep the protocol */
  closed(error: Error | undefined): void;
}

/** Above this, joining pieces costs more than the system calls it saves. */
const JOIN_BYTES = 64 * 1024;
const HIGH_WATER_BYTES = 16 * 1024 * 1024;

export interface FrameOptions {
  readonly maxFrameBytes?: number;
  /**
   * Read nothing more while the peer leaves much unread: right towards an asker, who must not pile up answers. Wrong towards
   * a worker, which reads only when its own answers are taken: both would wait for ever.
   */
  readonly pauseWhenFull?: boolean;
}

/** Frames over a socket. What is sent in one turn of the event loop leaves in one write. */
export function frameConnection(socket: Socket, handlers: FrameHandlers, options: FrameOptions = {}): FrameConnection {
  let queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let onSent: (() => void)[] = [];
  let closed = false;

  const flush = () => {
    if (queuedBytes === 0 || closed) return;
    const parts = queue;
    const bytes = queuedBytes;
    const sent = callAll(onSent);
    queue = [];
    queuedBytes = 0;
    onSent = [];
    if (bytes <= JOIN_BYTES) {
      socket.write(Buffer.concat(parts, bytes), sent);
    } else {
      socket.cork();
      for (const part of parts.slice(0, -1)) socket.write(part);
      socket.write(parts.at(-1) ?? "", sent);
      socket.uncork();
    }
    if (options.pauseWhenFull && socket.writableLength > HIGH_WATER_BYTES) socket.pause();
  };
  const close = (error: Error | undefined) => {
    if (closed) return;
    closed = true;
    queue = [];
    queuedBytes = 0;
    socket.destroy();
    handlers.closed(error);
  };

  const decoder = new FrameDecoder((frame) => {
    if (!closed) handlers.frame(frame);
  }, options.maxFrameBytes);
  socket.on("data", (chunk: Buffer) => {
    try {
      decoder.push(chunk);
    } catch (error) {
      close(error instanceof Error ? error : new Error(String(error)));
    }
  });
  socket.on("drain", () => socket.resume());
  socket.on("error", close);
  socket.on("end", () => close(decoder.idle ? undefined : new Error("The connection ended inside a frame.")));
  socket.on("close", () => close(undefined));

  return {
    send(id, kind, body, sent) {
      if (closed) return;
      if (queuedBytes === 0) setImmediate(flush);
      const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, id, kind, body.length);
      queue.push(header, body);
      if (sent !== undefined) onSent.push(sent);
      queuedBytes += FRAME_HEADER_BYTES + body.length;
    },
    pendingBytes: () => queuedBytes + socket.writableLength,
    end() {
      flush();
      if (!closed) socket.end();
    },
    destroy: () => close(undefined),
  };
}

function callAll(callbacks: readonly (() => void)[]): (() => void) | undefined {
  if (callbacks.length === 0) return undefined;
  return () => {
    for (const callback of callbacks) callback();
  };
}
