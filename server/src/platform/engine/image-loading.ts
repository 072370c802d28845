import { createInterface } from "node:readline";
import { parseFile } from "../parse-file.ts";
import { LoadProgress } from "./engine-answers.ts";
import { engineFailed } from "./engine-errors.ts";
import type { EngineAnswer, EngineCall } from "./engine-http.ts";

/** Unpacking a layer of gigabytes may take minutes without a word. */
const SILENCE_MS = 15 * 60_000;

/** Sends an image; a failure may come as a line of an answer that began with status 200. */
export async function imageLoading(
  call: (call: EngineCall) => Promise<EngineAnswer>,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const { body } = await call({
    method: "POST",
    path: "/images/load?quiet=true",
    archive,
    silenceMs: SILENCE_MS,
    signal,
  });
  let failure: string | undefined;
  for await (const line of createInterface({ input: body })) {
    failure ??= parseFile(LoadProgress, line)?.error;
  }
  if (failure !== undefined) throw engineFailed("to load the image", new Error(failure));
}
