import { eventually } from "../../../e2e/src/harness/installation.ts";
import type { Context } from "../benchmark.ts";
import type { TrainedModel } from "../measure/trained-model.ts";
import { runProgram } from "./running-program.ts";

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
/** Single precision, in whatever order a runtime adds up. */
const TOLERANCE = 1e-5;

/** A server that is one program. */
export interface ServerProgram {
  readonly command: readonly string[];
  /** beside the environment of this process */
  readonly env?: Readonly<Record<string, string>>;
  readonly address: ScoringAddress;
}

export interface ProgramContender extends Contender {
  program(stage: Stage): Promise<ServerProgram>;
}

/** A contender whose program runs in the contender's folder, and is ready when it gives the right answer. */
export function programContender(name: string, program: ProgramContender["program"]): ProgramContender {
  return {
    name,
    program,
    async start(stage) {
      const { command, env, address } = await program(stage);
      await startServer(stage, command, () => answersRight(address, stage.model), { ...(env && { env }) });
      return address;
    },
  };
}

/** Starts a server program in the folder, and waits until it answers. @returns its process id */
export async function startServer(
  { context, folder }: Pick<Stage, "context" | "folder">,
  command: readonly string[],
  answers: () => Promise<boolean>,
  { env }: Pick<ServerProgram, "env"> = {},
): Promise<number> {
  const running = await runProgram(folder, command, env);
  context.resources.defer(() => running.stop());
  await running.whileItRuns(eventually(async () => ((await answers()) ? true : undefined), START_MS));
  return running.pid;
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
