import { fileURLToPath } from "node:url";
import { programContender } from "./contender.ts";

const program = fileURLToPath(new URL("./node-echo-main.ts", import.meta.url));

/** The limit of one HTTP hop: bare `node:http` that sends the body back. Asked with the answer, it answers right. */
export const nodeEcho = programContender("limit: bare Node HTTP echo", async ({ port, model }) => ({
  command: [process.execPath, program, String(port)],
  address: {
    url: `http://127.0.0.1:${port}/`,
    body: JSON.stringify({ predictions: model.predictions, data: model.rows }),
    predictions: (answer) => (answer as { predictions: unknown }).predictions,
  },
}));
