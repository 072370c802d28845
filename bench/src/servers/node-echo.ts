import { fileURLToPath } from "node:url";
import { type Contender, startProgram } from "./contender.ts";

const program = fileURLToPath(new URL("./node-echo-main.ts", import.meta.url));

/** The limit of one HTTP hop: bare `node:http` that sends the body back. Asked with the answer, it answers right. */
export const nodeEcho: Contender = {
  name: "limit: bare Node HTTP echo",
  async start(stage) {
    const { port, model } = stage;
    const body = JSON.stringify({ predictions: model.predictions, data: model.rows });
    return startProgram(stage, [process.execPath, program, String(port)], {
      url: `http://127.0.0.1:${port}/`,
      body,
      predictions: (answer) => (answer as { predictions: unknown }).predictions,
    });
  },
};
