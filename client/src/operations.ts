import type { Http } from "./http.ts";
import { createLogReader, type LogEntry } from "./operation-log.ts";
import { errorFromOperation, isSlipwayError, SlipwayError } from "./slipway-error.ts";
import type { Operation } from "./wire.ts";
import type { WorkspaceAddress } from "./workspace-address.ts";

export interface WaitOptions {
  /** each line of the operation's log, once, in order */
  readonly onLog?: ((entry: LogEntry) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An accepted request whose work goes on: pass `operationId` to `operations.wait`. */
export interface Started {
  readonly operationId: string;
}

export type Operations = ReturnType<typeof createOperations>;

/** A control plane that restarts is back within seconds; one that is gone for a minute is worth an error. */
const RECONNECT_MS = 60_000;
const RECONNECT_PAUSE_MS = 500;
/** The server holds a read open until there is news. If something between us answers at once, this keeps us from spinning. */
const QUIET_PAUSE_MS = 250;

export function createOperations(http: Http, address: WorkspaceAddress) {
  const url = (id: string) => `${address.modelManagement}/operations/${encodeURIComponent(id)}`;

  async function read(id: string, offset: number, signal: AbortSignal | undefined): Promise<Operation> {
    const deadline = Date.now() + RECONNECT_MS;
    for (;;) {
      try {
        return await http.json<Operation>("GET", url(id), { query: { offset, live: true }, signal });
      } catch (error) {
        const gone = isSlipwayError(error) && (error.code === "ServerUnreachable" || error.statusCode === 503);
        if (!gone || Date.now() > deadline) throw error;
        await pause(RECONNECT_PAUSE_MS, signal);
      }
    }
  }

  return {
    /** Newest first. */
    async list(options: { readonly signal?: AbortSignal } = {}): Promise<Operation[]> {
      const page = await http.json<{ value: Operation[] }>("GET", `${address.modelManagement}/operations`, options);
      return page.value;
    },

    /** @throws {SlipwayError} OperationNotFound */
    async get(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<Operation> {
      return http.json<Operation>("GET", url(id), options);
    },

    /** Asks the operation to stop; it ends as Cancelled, or as it would have if it was too late. */
    async cancel(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
      await http.send("POST", `${url(id)}/cancel`, options);
    },

    /**
     * Waits until the operation has succeeded. A restart of the server in between is survived. Aborting stops the waiting, not the operation.
     *
     * @throws {SlipwayError} with the operation's own code and `operation` set, if it failed, timed out or was cancelled
     */
    async wait(id: string, options: WaitOptions = {}): Promise<Operation> {
      const log = createLogReader();
      for (;;) {
        const asked = Date.now();
        const operation = await read(id, log.offset, options.signal);
        const news = operation.streamingOperationLog;
        for (const entry of log.read(news)) options.onLog?.(entry);
        switch (operation.state) {
          case "Succeeded":
            return operation;
          case "Failed":
          case "Cancelled":
          case "TimedOut":
            throw errorFromOperation(operation);
          case "NotStarted":
          case "Running":
            if (news === "") await pause(QUIET_PAUSE_MS - (Date.now() - asked), options.signal);
        }
      }
    },
  };
}

/** The operation of a `202`: the last segment of `Operation-Location`. */
export function startedOperation(response: Response): Started {
  const location = response.headers.get("operation-location");
  const operationId = location?.split("?")[0]?.split("/").at(-1);
  if (!operationId)
    throw new SlipwayError({
      code: "UnexpectedAnswer",
      statusCode: response.status,
      message: `The server accepted the request but named no operation to wait for (${response.url}).`,
    });
  return { operationId };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    if (ms <= 0) return resolve();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
