import { request } from "node:http";
import { ScorerState } from "@slipway/api";
import { parseFile } from "../../platform/parse-file.ts";

const ANSWER_TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * What the scorer behind a socket says of itself; undefined when nobody answers, or not like a scorer. One that is starting may
 * take a second for the answer if `patient`, and then answers at the moment when its start is over.
 */
export async function askScorer(socketPath: string, patient = false): Promise<ScorerState | undefined> {
  const text = await new Promise<string | undefined>((resolve) => {
    const asked = request(
      {
        socketPath,
        path: "/_slipway/state",
        headers: patient ? { prefer: "wait=1" } : {},
        agent: false,
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) response.destroy();
          else chunks.push(chunk);
        });
        response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        response.on("close", () => resolve(undefined));
        response.on("error", () => resolve(undefined));
      },
    );
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
  return parseFile(ScorerState, text);
}
