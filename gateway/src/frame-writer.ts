import type { Socket } from "node:net";

/** Below this a batch is copied together and written in one call; above it copying costs more than it saves. */
const COPY_BELOW_BYTES = 128 * 1024;

/**
 * Collects the frames of one event-loop turn and writes them at once: with many requests a turn, one system call carries
 * them all.
 */
export class FrameWriter {
  readonly #socket: Socket;
  #batch: Uint8Array[] = [];
  #batchIds: number[] = [];
  #bytes = 0;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Ids of the requests that no byte has been written of. */
  get unwritten(): readonly number[] {
    return this.#batchIds;
  }

  /** @param id the request's, when `parts` are a request: it counts as unwritten until the turn's end */
  write(parts: readonly Uint8Array[], id?: number): void {
    for (const part of parts) {
      this.#batch.push(part);
      this.#bytes += part.length;
    }
    if (id !== undefined) this.#batchIds.push(id);
    this.#scheduled ??= setImmediate(() => this.#flush());
  }

  /** Nothing more is written, also not what waits for the end of the turn. */
  stop(): void {
    clearImmediate(this.#scheduled);
    this.#batch = [];
  }

  #flush(): void {
    const batch = this.#batch;
    const bytes = this.#bytes;
    this.#scheduled = undefined;
    this.#batch = [];
    this.#batchIds = [];
    this.#bytes = 0;
    if (bytes <= COPY_BELOW_BYTES) {
      this.#socket.write(batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch, bytes));
      return;
    }
    this.#socket.cork();
    for (const part of batch) this.#socket.write(part);
    this.#socket.uncork();
  }
}
