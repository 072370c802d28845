import { fileURLToPath } from "node:url";

/** The program to start for one replica: `node [--conditions=slipway-source] scorerMain RUNFOLDER`. */
export const scorerMain: string = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "main.ts" : "main.js", import.meta.url),
);
