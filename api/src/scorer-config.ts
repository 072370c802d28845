import { type Static, Type } from "typebox";

/**
 * `RUN/scorer.json`: everything a scorer needs to start. Written by the target before the start, never changed afterwards.
 *
 * A run folder holds: `scorer.json`, `http.sock` (HTTP: probes and direct use), `frames.sock` (frames, for the gateway),
 * `logs/scorer.log` (+ `.1`, rotated by the scorer; the workers' output ends here), `exit.json` ({@link ExitReason}, written when it ends).
 */
export const ScorerConfig = Type.Object({
  replicaId: Type.String(),
  nonce: Type.String(),
  service: Type.String(),
  revision: Type.Integer(),
  /** where the service stands behind the gateway (`/api/v1/service/NAME`), for swagger.json */
  pathPrefix: Type.Optional(Type.String()),
  runFolder: Type.String(),
  /** sockets may live elsewhere when the run folder's path is too long for a Unix socket (107 bytes) */
  httpSocket: Type.String(),
  framesSocket: Type.String(),
  /** for standalone use (`docker run`): also listen here */
  httpPort: Type.Optional(Type.Integer()),
  runtime: Type.Union([
    Type.Object({
      kind: Type.Literal("python"),
      /** program and arguments before the worker module: interpreter, perhaps behind a sandbox */
      command: Type.Array(Type.String(), { minItems: 1 }),
      /** environment of the worker, complete: nothing is inherited */
      env: Type.Record(Type.String(), Type.String()),
      /** folder that holds the driver and `azureml-models`; the worker's working folder */
      appRoot: Type.String(),
      /** driver or entry script, relative to appRoot */
      entryScript: Type.String(),
    }),
    Type.Object({
      kind: Type.Literal("onnx"),
      models: Type.Array(Type.Object({ name: Type.String(), file: Type.String() }), { minItems: 1 }),
    }),
  ]),
  workers: Type.Integer({ minimum: 1 }),
  /** threads for numeric libraries in each worker */
  threads: Type.Integer({ minimum: 1 }),
  /** hard limit over all workers, bytes; the scorer watches resident size when no cgroup does (`memoryGuard`) */
  memoryLimitBytes: Type.Optional(Type.Integer()),
  memoryGuard: Type.Union([
    Type.Literal("cgroup-v2"),
    Type.Literal("cgroup-v1"),
    /** somebody else holds the scorer and its workers to a limit: only the kernel's kills are counted, in the own cgroup */
    Type.Literal("container"),
    Type.Literal("watchdog"),
    Type.Literal("none"),
  ]),
  /** the workers' memory cgroup folder, for `memoryGuard: cgroup-*`; the scorer puts each worker into it */
  cgroup: Type.Optional(Type.String()),
  startTimeoutMs: Type.Integer(),
  scoringTimeoutMs: Type.Integer(),
  maxBodyBytes: Type.Integer(),
  /** an exception in run() answers 424 unless v1's 500 is asked for */
  legacyStatusCodes: Type.Boolean(),
});
export type ScorerConfig = Static<typeof ScorerConfig>;

/** Why something failed, for people: what happened, to what, and the next action. `code` is API. */
export const Cause = Type.Object({
  /** ImportError, InitFailed, RunFailed, OutOfMemory, StartTimeout, WorkerCrashed, ModelNotFound, EntryScriptNotFound … */
  code: Type.String(),
  message: Type.String(),
  nextAction: Type.Optional(Type.String()),
  file: Type.Optional(Type.String()),
  line: Type.Optional(Type.Integer()),
  traceback: Type.Optional(Type.String()),
  exitCode: Type.Optional(Type.Integer()),
  signal: Type.Optional(Type.String()),
});
export type Cause = Static<typeof Cause>;

/** Answer of `GET /_slipway/state` on the scorer's HTTP socket. Adoption compares `nonce`. */
export const ScorerState = Type.Object({
  replicaId: Type.String(),
  nonce: Type.String(),
  pid: Type.Integer(),
  phase: Type.Union([
    Type.Literal("starting"),
    Type.Literal("ready"),
    Type.Literal("failed"),
    Type.Literal("draining"),
  ]),
  /** why `failed`; in `starting` and `ready` the cause of the last worker's death, if any */
  cause: Type.Optional(Cause),
  workers: Type.Array(
    Type.Object({ pid: Type.Integer(), phase: Type.String(), restarts: Type.Integer(), memoryBytes: Type.Integer() }),
  ),
  inFlight: Type.Integer(),
  /** ONNX: runs of models since the start, and the requests that they answered: `sum / count` is the mean batch size */
  batches: Type.Optional(Type.Object({ count: Type.Integer(), sum: Type.Integer() })),
  /** milliseconds spent: `interpreter` until the script's import began, `import`, `init` (python); `load`, `warmUp` (onnx) */
  timings: Type.Record(Type.String(), Type.Number()),
  /** a request body (JSON value) that the script's inference-schema gives as its example; for one run() before traffic */
  sampleInput: Type.Optional(Type.Unknown()),
});
export type ScorerState = Static<typeof ScorerState>;

export const ExitReason = Type.Object({ at: Type.String(), cause: Type.Optional(Cause) });
export type ExitReason = Static<typeof ExitReason>;
