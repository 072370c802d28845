import { fileURLToPath } from "node:url";

export { Config, dataLayout, parseConfig } from "./config.ts";
export { type ExclusiveLock, tryLock } from "./platform/exclusive-lock.ts";
export type { ControlPlaneMessage, StopMessage } from "./process-messages.ts";

/** The program to start for a control plane; beside this file, as source or built. */
export const controlPlaneMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url),
);
