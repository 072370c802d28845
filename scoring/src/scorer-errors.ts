import type { Cause } from "@slipway/api";

/** Everything that the scorer itself can say about a failure. Codes are API; causes in the user's code come from the worker. */

export class ScorerError extends Error {
  override readonly name = "ScorerError";
  readonly scorerCause: Cause;

  constructor(scorerCause: Cause, options?: ErrorOptions) {
    super(scorerCause.message, options);
    this.scorerCause = scorerCause;
  }
}

export const configInvalid = (file: string, problem: string): ScorerError =>
  new ScorerError({
    code: "ScorerConfigInvalid",
    message: `The scorer's configuration ${file} cannot be used: ${problem}.`,
    nextAction: "It is written by the target for each replica; deploy the service again.",
  });

export const addressInUse = (address: string): ScorerError =>
  new ScorerError({
    code: "AddressInUse",
    message: `Another program already listens on ${address}.`,
    nextAction: "Stop it first: one run folder belongs to one scorer.",
  });

export const stillStarting = (): Cause => ({
  code: "Starting",
  message: "The service is starting: its init() has not finished yet.",
  nextAction: "Try again in a moment.",
});

export const queueFull = (waiting: number): Cause => ({
  code: "QueueFull",
  message: `${waiting} requests already wait for this replica.`,
  nextAction: "Send fewer requests at once, or give the service more replicas.",
});

export const stopping = (): Cause => ({ code: "Stopping", message: "This replica is stopping and takes no new work." });

export const bodyTooLarge = (limitBytes: number): Cause => ({
  code: "BodyTooLarge",
  message: `The request body is larger than the limit of ${limitBytes} bytes.`,
  nextAction: "Send less in one request.",
});

export const answerNotHttp = (error: unknown): Cause => ({
  code: "AnswerInvalid",
  message: `run() returned a response that HTTP does not allow: ${error instanceof Error ? error.message : String(error)}.`,
  nextAction: "Check its status code and headers.",
});

export const pathNotFound = (path: string): Cause => ({
  code: "PathNotFound",
  message: `There is nothing at ${path}. A scorer answers /score, /invocations, /v2, /swagger.json, /ready, /ping and /.`,
});

export const grpcMethodNotFound = (path: string): Cause => ({
  code: "MethodUnimplemented",
  message: `There is no gRPC method ${path}. A scorer answers ServerLive, ServerReady, ServerMetadata, ModelReady, ModelMetadata and ModelInfer of inference.GRPCInferenceService.`,
});

export const modelNotFound = (
  wanted: { readonly model?: string; readonly version?: string },
  names: readonly string[],
): Cause => ({
  code: "ModelNotFound",
  message: `There is no model ${wanted.model ?? ""}${
    wanted.version === undefined ? "" : ` of version ${wanted.version}`
  } here; there are: ${names.join(", ")}.`,
});

export const modelMissing = (names: readonly string[]): Cause => ({
  code: "ModelMissing",
  message: `This service has several models: ${names.join(", ")}.`,
  nextAction: 'Name one in the body, {"model": …}, or in the query, ?model=….',
});

export const contentEncodingUnsupported = (encoding: string): Cause => ({
  code: "ContentEncodingUnsupported",
  message: `The request body is encoded as ${encoding}, which this server does not read.`,
  nextAction: "Send it without compression.",
});

export const methodNotAllowed = (method: string, path: string): Cause => ({
  code: "MethodNotAllowed",
  message: `${path} cannot be asked with ${method}.`,
});

export const swaggerVersionUnknown = (version: string): Cause => ({
  code: "SwaggerVersionUnknown",
  message: `There is no swagger.json of version ${version}. Supported: 2.0.`,
});

export const outOfMemory = (who: string, limitBytes: number | undefined, usedBytes?: number): Cause => ({
  code: "OutOfMemory",
  message: [
    `${who} was stopped because it used more memory than the service may`,
    limitBytes === undefined ? "." : ` (limit ${megabytes(limitBytes)}`,
    limitBytes !== undefined && usedBytes !== undefined ? `, in use ${megabytes(usedBytes)}` : "",
    limitBytes === undefined ? "" : ").",
  ].join(""),
  nextAction: "Give the service more memory (memory_gb), use fewer workers, or load a smaller model.",
  signal: "SIGKILL",
});

export const startTimeout = (seconds: number, stage: string, place: StackPlace | undefined, stacks: string): Cause => ({
  code: "StartTimeout",
  message: `The service was not ready after ${seconds} s; it was ${stage}${
    place === undefined ? "" : ` (${place.file}, line ${place.line}, in ${place.name})`
  }.`,
  nextAction: "Make the start quicker or allow it more time; the stacks show what it waited for.",
  ...(place !== undefined && { file: place.file, line: place.line }),
  ...(stacks !== "" && { traceback: stacks }),
});

export interface StackPlace {
  readonly file: string;
  readonly line: number;
  readonly name: string;
}

export const scoringTimeout = (seconds: number): Cause => ({
  code: "ScoringTimeout",
  message: `run() did not come to an end within ${seconds} s, the scoring timeout, and could not be interrupted; its worker was stopped.`,
  nextAction: "Make run() quicker, or raise scoring_timeout_ms.",
});

export const onnxTimeout = (seconds: number): Cause => ({
  code: "ScoringTimeout",
  message: `The model did not answer within ${seconds} s, the scoring timeout.`,
  nextAction: "Send less in one request, give the service more cpu, or raise scoring_timeout_ms.",
});

export interface WorkerExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** what it wrote last */
  readonly tail: readonly string[];
  readonly stage: string;
}

export const workerCrashed = (who: string, exit: WorkerExit): Cause => ({
  code: "WorkerCrashed",
  message: `${who} ended ${
    exit.signal === null ? `with exit code ${exit.exitCode}` : `by ${exit.signal}`
  } while it was ${exit.stage}.${lastWords(exit.tail)}`,
  nextAction:
    exit.signal === "SIGKILL"
      ? "Look whether the machine ran out of memory; then look at the log."
      : "Look at the log: the last lines before the crash say most.",
  ...(exit.exitCode !== null && { exitCode: exit.exitCode }),
  ...(exit.signal !== null && { signal: exit.signal }),
  ...(exit.tail.length > 0 && { traceback: exit.tail.join("\n") }),
});

export const workerNotStarted = (program: string, error: Error): Cause => ({
  code: "WorkerNotStarted",
  message: `The worker's program ${program} could not be started: ${error.message}.`,
  nextAction: "The image's environment is damaged or missing; build the image again.",
});

export const onnxRuntimeMissing = (error: string): Cause => ({
  code: "OnnxRuntimeMissing",
  message: `ONNX Runtime for Node is not installed here: ${error}`,
  nextAction:
    "Install it with ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node (the variable skips a download that only graphics cards need).",
});

export const modelUnreadable = (model: string, reason: string): Cause => ({
  code: "ModelUnreadable",
  message: `ONNX Runtime cannot load the model ${model}: ${reason}`,
  nextAction: "Check that the file is an ONNX model, whole, and of an operator set that this runtime knows.",
});

function megabytes(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`;
}

function lastWords(tail: readonly string[]): string {
  const last = tail.findLast((line) => line.trim() !== "");
  return last === undefined ? "" : ` Its last words: ${last.slice(0, 500)}`;
}
