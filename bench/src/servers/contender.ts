import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";
import type { TrainedModel } from "../measure/trained-model.ts";

/** A server that answers for the model. */
export interface Contender {
  readonly name: string;
  /** Ready when it resolves; registers its end. @throws with the reason why it cannot run here */
  start(stage: Stage): Promise<ScoringAddress>;
}

/** What a contender starts with. */
export interface Stage {
  readonly context: Context;
  readonly model: TrainedModel;
  /** its own, with the model's file and a `score.py` for it */
  readonly folder: string;
  /** free */
  readonly port: number;
}

export interface ScoringAddress {
  readonly url: string;
  /** the two rows, in the server's own form */
  readonly body: string;
  readonly authorization?: string;
  /** PEM of the authority that clients must trust */
  readonly caFile?: string;
  /** trusts the server; plain `fetch` if not given */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** where the predictions are in its answer; the answer itself if not given */
  predictions?(answer: unknown): unknown;
}

const START_MS = 60_000;
const STOP_MS = 10_000;
/** Single precision, in whatever order a runtime adds up. */
const TOLERANCE = 1e-5;

interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a server program in the contender's folder, and waits until it gives the right answer. */
export async function startProgram(
  stage: Stage,
  command: readonly string[],
  address: ScoringAddress,
  options: ProgramOptions = {},
): Promise<ScoringAddress> {
  await startServer(stage, command, () => answersRight(address, stage.model), options);
  return address;
}

/** Starts a server program in the folder, and waits until it answers. @returns its process id */
export async function startServer(
  { context, folder }: Pick<Stage, "context" | "folder">,
  command: readonly string[],
  answers: () => Promise<boolean>,
  { env }: ProgramOptions = {},
): Promise<number> {
  const [program = "", ...args] = command;
  const log = join(folder, "server.log");
  await using output = await open(log, "w");
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", output.fd, output.fd],
  });
  const exited = once(child, "exit");
  context.resources.defer(async () => {
    // Its whole group: servers have workers.
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      if (child.pid !== undefined) endGroup(child.pid, signal);
      const late = new Promise((resolve) => setTimeout(resolve, STOP_MS).unref());
      await Promise.race([exited, late]);
    }
  });
  const ended = exited.then(
    ([code]) => Promise.reject(new Error(`it ended with ${code}`)),
    (error) => Promise.reject(error),
  );
  try {
    await Promise.race([ended, eventually(async () => ((await answers()) ? true : undefined), START_MS)]);
    return child.pid ?? 0;
  } catch (error) {
    const tail = (await readFile(log, "utf8")).trim().split("\n").slice(-3).join(" | ");
    throw new Error(`${(error as Error).message} (${tail})`, { cause: error });
  }
}

/** One request. @throws unless the predictions are the model's */
export async function answersRight(address: ScoringAddress, model: TrainedModel): Promise<boolean> {
  const { predictions = (answer: unknown) => answer } = address;
  const answer = predictions(JSON.parse(await ask(address))) as readonly number[];
  const right = model.predictions.every(
    (value, row) => Math.abs(value - (answer[row] ?? Number.NaN)) <= TOLERANCE * Math.max(1, Math.abs(value)),
  );
  if (!right) throw new Error(`it answers ${JSON.stringify(answer)}, not ${JSON.stringify(model.predictions)}`);
  return true;
}

/** @returns the text of the answer @throws for any status but 200 */
export async function ask({ url, body, authorization, fetch = globalThis.fetch }: ScoringAddress): Promise<string> {
  const headers = { "content-type": "application/json", ...(authorization !== undefined && { authorization }) };
  const response = await fetch(url, { method: "POST", body, headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text.slice(0, 200)}`);
  return text;
}

function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
