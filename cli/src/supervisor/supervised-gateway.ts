import type { SendHandle } from "node:child_process";
import { join } from "node:path";
import { DATA_PLANE_NODE_OPTIONS } from "@slipway/api";
import { gatewayMain } from "@slipway/gateway";
import { askGateway, gatewayHangsUp } from "./gateway-state.ts";
import { INHERITED_SOCKET, startProcess } from "./start-process.ts";
import { type SupervisedChild, superviseChild } from "./supervised-child.ts";

/** Draining waits for requests in flight (at most 30 s in the gateway) before it kills. */
const PATIENCE_MS = 40_000;
const START_MS = 10_000;

export interface GatewaySpec {
  readonly folder: string;
  readonly configFile: string;
  readonly logs: string;
  readonly port: number;
  onNotice(text: string): void;
  /** it cannot run, and said why */
  onFatal(message: string): void;
}

export interface SupervisedGateway {
  /** Adopts the one that runs, else starts one; does nothing the second time. */
  start(): Promise<void>;
  /** Returns when it answers, or after some seconds. */
  answers(): Promise<void>;
  /** @param adopted also one that an earlier supervisor left running */
  stop(options: { readonly adopted: boolean }): Promise<void>;
}

/**
 * Keeps a gateway running. The socket that callers connect to is held here, too: between a gateway's death and the next one's start
 * they wait in its queue and are not refused.
 */
export function superviseGateway(spec: GatewaySpec): SupervisedGateway {
  let child: SupervisedChild | undefined;
  let adopted = false;
  let ended = false;
  let listener: (SendHandle & { close(): void }) | undefined;

  async function start(): Promise<void> {
    if (child !== undefined || adopted) return;
    const state = await askGateway(spec.folder);
    if (state?.port === spec.port) {
      adopted = true;
      void watchAdopted();
      return;
    }
    child = superviseChild({
      start: () => {
        const socket = listener === undefined ? [] : [String(INHERITED_SOCKET)];
        const args = [...DATA_PLANE_NODE_OPTIONS, gatewayMain, spec.configFile, ...socket];
        return startProcess("gateway", args, spec.logs, { socket: listener });
      },
      onMessage(message, socket) {
        const { type } = message as { readonly type?: unknown };
        if (type === "ready") hold(socket as typeof listener);
        else if (type === "fatal") {
          ended = true;
          spec.onFatal((message as { readonly message: string }).message);
        }
        return type === "ready";
      },
      onExit(code, signal) {
        if (ended) return false;
        spec.onNotice(
          `The gateway ended (${signal ?? `exit code ${code}`}) and is started again. Its log: ${join(spec.logs, "gateway.log")}`,
        );
        return true;
      },
    });
  }

  function hold(socket: typeof listener): void {
    listener?.close();
    listener = socket;
  }

  /** A gateway that an earlier supervisor left running is nobody's child: the line to it says when it dies. */
  async function watchAdopted(): Promise<void> {
    do {
      await gatewayHangsUp(spec.folder);
      if (ended) return;
    } while ((await askGateway(spec.folder)) !== undefined);
    adopted = false;
    await start();
  }

  return {
    start,
    async answers() {
      const deadline = performance.now() + START_MS;
      while (performance.now() < deadline && (await askGateway(spec.folder)) === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async stop(options) {
      ended = true;
      // There will be no next gateway to wait for.
      hold(undefined);
      if (adopted && options.adopted) await stopAdopted(spec.folder);
      await child?.stop(undefined, PATIENCE_MS);
    },
  };
}

async function stopAdopted(folder: string): Promise<void> {
  const state = await askGateway(folder);
  if (state === undefined) return;
  process.kill(state.pid, "SIGTERM");
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && (await askGateway(folder)) !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
