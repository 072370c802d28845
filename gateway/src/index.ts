import { fileURLToPath } from "node:url";

export { GatewayConfig } from "@slipway/api";

/** The gateway's program: `node MAIN CONFIGFILE [LISTENER]`; the second is the number of an inherited socket to listen on. */
export const gatewayMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url),
);
