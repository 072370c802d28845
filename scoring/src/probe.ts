import { existsSync } from "node:fs";
import { request } from "node:http";

/**
 * The health check of images: ends with 0 when the scorer of this container is ready. It runs every few seconds beside the scorer,
 * so it loads nothing but Node's own client.
 */
const ANSWER_MS = 4_000;
/** `imagePaths.run`: there when a target started the container */
const SOCKET = "/run/slipway/http.sock";

const where = existsSync(SOCKET) ? { socketPath: SOCKET } : { host: "127.0.0.1", port: process.env.SLIPWAY_PORT };
const asked = request({ ...where, path: "/ready", signal: AbortSignal.timeout(ANSWER_MS) }, ({ statusCode }) =>
  process.exit(statusCode === 200 ? 0 : 1),
);
asked.on("error", () => process.exit(1));
asked.end();
