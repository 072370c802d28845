import { request } from "node:http";
import type { GatewayState, ServiceSignals } from "@slipway/api";
import { gatewayUnreachable } from "./service-errors.ts";

/** It is on this machine and answers from memory; what takes longer hangs. Loading routes may try connections for 2 s. */
const ANSWER_MS = 10_000;

/** What the control plane asks of the gateway (`route-snapshot.ts` in `api/` describes the socket). */
export interface GatewayControl {
  /** Loads the route file again. @throws {AppError} GatewayUnreachable */
  loadRoutes(signal: AbortSignal): Promise<GatewayState>;
  /** @throws {AppError} GatewayUnreachable */
  state(signal: AbortSignal): Promise<GatewayState>;
  /** What decisions about the number of replicas need. @throws {AppError} GatewayUnreachable */
  signals(signal: AbortSignal): Promise<readonly ServiceSignals[]>;
  /** Requests in work at a replica, told when there are none or after `waitMs`. A gateway that does not run has none. */
  inFlight(replicaId: string, waitMs: number, signal: AbortSignal): Promise<number>;
}

export function createGatewayControl(socketPath: string): GatewayControl {
  async function ask(method: string, path: string, answerMs: number, signal: AbortSignal) {
    try {
      return await exchange(socketPath, method, path, AbortSignal.any([signal, AbortSignal.timeout(answerMs)]));
    } catch (error) {
      signal.throwIfAborted();
      throw gatewayUnreachable(error);
    }
  }

  return {
    async loadRoutes(signal) {
      const answer = await ask("PUT", "/routes", ANSWER_MS, signal);
      // Another number than the file's is in force: whoever asked compares it.
      if (answer.status === 409) return this.state(signal);
      if (answer.status !== 200) throw gatewayUnreachable(new Error(`PUT /routes: ${answer.status} ${answer.text}`));
      return JSON.parse(answer.text) as GatewayState;
    },
    async state(signal) {
      const answer = await ask("GET", "/state", ANSWER_MS, signal);
      if (answer.status !== 200) throw gatewayUnreachable(new Error(`GET /state: ${answer.status} ${answer.text}`));
      return JSON.parse(answer.text) as GatewayState;
    },
    async signals(signal) {
      const answer = await ask("GET", "/signals", ANSWER_MS, signal);
      if (answer.status !== 200) throw gatewayUnreachable(new Error(`GET /signals: ${answer.status} ${answer.text}`));
      return JSON.parse(answer.text) as readonly ServiceSignals[];
    },
    async inFlight(replicaId, waitMs, signal) {
      try {
        const path = `/replicas/${encodeURIComponent(replicaId)}/in-flight?wait=${waitMs}`;
        const answer = await ask("GET", path, waitMs + ANSWER_MS, signal);
        return answer.status === 200 ? Number((JSON.parse(answer.text) as { inFlight: number }).inFlight) : 0;
      } catch (error) {
        signal.throwIfAborted();
        if ((error as { code?: string }).code === "GatewayUnreachable") return 0;
        throw error;
      }
    },
  };
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end();
  });
}
