import { request } from "node:http";

// Run by the gateway, which knows no engines: the start file names the engine's socket and the call that starts the container.
const { SLIPWAY_ENGINE_SOCKET: socketPath, SLIPWAY_ENGINE_PATH: path } = process.env;
const TIMEOUT_MS = 60_000;
/** Done, or it runs already. */
const STARTED = [204, 304];

function fail(reason: string): void {
  process.stderr.write(`The container could not be woken: ${reason}\n`);
  process.exitCode = 1;
}

const asked = request(
  { socketPath, path, method: "POST", headers: { host: "engine" }, timeout: TIMEOUT_MS },
  (answer) => {
    let text = "";
    answer.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    answer.on("end", () => {
      if (!STARTED.includes(answer.statusCode ?? 0)) fail(`the engine answers ${answer.statusCode}: ${text}`);
    });
  },
);
asked.on("timeout", () => asked.destroy(new Error(`no answer for ${TIMEOUT_MS / 1000} s`)));
asked.on("error", (error) => fail(error.message));
asked.end();
