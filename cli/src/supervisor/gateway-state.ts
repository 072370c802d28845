import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { GatewayState } from "@slipway/api";

/** One that is dead refuses at once; one that only has to wait for the processor must not be taken for dead. */
const PATIENCE_MS = 10_000;

/** What the gateway behind the control socket says of itself; undefined when none answers. */
export function askGateway(folder: string): Promise<GatewayState | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath: controlSocket(folder), path: "/state", timeout: PATIENCE_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => {
        try {
          resolve(JSON.parse(body) as GatewayState);
        } catch {
          resolve(undefined);
        }
      });
    });
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve(undefined));
    call.end();
  });
}

/** Returns when the gateway hangs up: at once when it dies, and now and then because nothing was asked. */
export function gatewayHangsUp(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const line = connect(controlSocket(folder));
    // Whoever waits for this does not keep the supervisor.
    line.unref();
    line.resume();
    line.on("error", () => {
      // A death can look like one; what counts is that the line is closed.
    });
    line.on("close", () => resolve());
  });
}

function controlSocket(folder: string): string {
  return join(folder, "control.sock");
}
