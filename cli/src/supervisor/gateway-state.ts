import { request } from "node:http";
import { join } from "node:path";
import type { GatewayState } from "@slipway/api";

/** What the gateway behind the control socket says of itself; undefined when none answers. */
export function askGateway(folder: string): Promise<GatewayState | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath: join(folder, "control.sock"), path: "/state", timeout: 2_000 }, (response) => {
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
