import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ScorerConfig, ScorerState } from "@slipway/api";
import { scorerMain } from "../index.ts";

/** Real scorers, started as a target starts them, for the integration tests. */

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  json(): unknown;
}

export interface ScorerUnderTest {
  readonly process: ChildProcess;
  readonly runFolder: string;
  readonly config: ScorerConfig;
  state(): Promise<ScorerState>;
  /** Waits until the state is as wanted. */
  until(wanted: (state: ScorerState) => boolean): Promise<ScorerState>;
  ask(path: string, options?: AskOptions): Promise<Answer>;
  /** POST /score */
  score(body: unknown): Promise<Answer>;
  log(): string;
  /** a file in the application's folder; empty when there is none */
  readFile(name: string): string;
  exited(): Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Kills it if it still runs, and removes its folder. */
  dispose(): Promise<void>;
}

export interface AskOptions {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

type Overrides = Partial<Omit<ScorerConfig, "runtime">> & {
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
};

/** Starts a scorer for a Python script; `files` are the application's, `score.py` is the entry script. */
export function startPythonScorer(files: Readonly<Record<string, string>>, overrides: Overrides = {}): ScorerUnderTest {
  const { env, command, ...rest } = overrides;
  return start(files, rest, (appRoot) => ({
    kind: "python",
    command: [...(command ?? [process.env.SLIPWAY_TEST_PYTHON ?? "python3"])],
    env: { PATH: process.env.PATH ?? "", AML_APP_ROOT: appRoot, PYTHONDONTWRITEBYTECODE: "1", ...env },
    appRoot,
    entryScript: "score.py",
  }));
}

/** Starts a scorer for ONNX models, given as bytes by file name. */
export function startOnnxScorer(
  files: Readonly<Record<string, Uint8Array | string>>,
  overrides: Overrides = {},
): ScorerUnderTest {
  return start(files, overrides, (appRoot) => ({
    kind: "onnx",
    models: Object.keys(files).map((name) => ({ name: name.replace(/\.onnx$/, ""), file: join(appRoot, name) })),
  }));
}

function start(
  files: Readonly<Record<string, Uint8Array | string>>,
  overrides: Overrides,
  runtimeIn: (appRoot: string) => ScorerConfig["runtime"],
): ScorerUnderTest {
  const runFolder = mkdtempSync(join(tmpdir(), "slipway-scorer-"));
  const appRoot = join(runFolder, "app");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(appRoot, name)), { recursive: true });
    writeFileSync(join(appRoot, name), content);
  }
  const config: ScorerConfig = {
    replicaId: "r1",
    nonce: "nonce-1",
    service: "digits",
    revision: 3,
    runFolder,
    httpSocket: join(runFolder, "http.sock"),
    framesSocket: join(runFolder, "frames.sock"),
    workers: 1,
    threads: 1,
    memoryGuard: "none",
    startTimeoutMs: 60_000,
    scoringTimeoutMs: 60_000,
    maxBodyBytes: 32 * 1024 * 1024,
    legacyStatusCodes: false,
    ...overrides,
    runtime: runtimeIn(appRoot),
  };
  writeFileSync(join(runFolder, "scorer.json"), JSON.stringify(config));
  return observe(config, startProcess(runFolder));
}

/** The same run folder once more, as after a crash. */
export function startAgain(before: ScorerUnderTest): ScorerUnderTest {
  return observe(before.config, startProcess(before.runFolder));
}

function startProcess(runFolder: string): ChildProcess {
  return spawn(process.execPath, ["--conditions=slipway-source", scorerMain, runFolder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function observe(config: ScorerConfig, child: ChildProcess): ScorerUnderTest {
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
  });
  const scorer: ScorerUnderTest = {
    process: child,
    runFolder: config.runFolder,
    config,
    state: async () => (await scorer.ask("/_slipway/state")).json() as ScorerState,
    until: (wanted) =>
      eventually(async () => {
        const state = await scorer.state();
        if (!wanted(state)) throw new Error(`The scorer's state is ${JSON.stringify(state)}\n${scorer.log()}`);
        return state;
      }),
    ask: (path, options) => ask(config.httpSocket, path, options ?? {}),
    score: (body) =>
      ask(config.httpSocket, "/score", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    log: () => contentOf(join(config.runFolder, "logs", "scorer.log")),
    readFile: (name) => contentOf(join(config.runFolder, "app", name)),
    exited: () => ended,
    async dispose() {
      child.kill("SIGKILL");
      await ended;
      rmSync(config.runFolder, { recursive: true, force: true });
    },
  };
  return scorer;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** A zombie has ended, although it still has its number. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** Tries until it does not throw; after the deadline the last error is the test's error. */
export async function eventually<T>(attempt: () => Promise<T> | T, deadlineMs = 60_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export function ask(
  socketPath: string,
  path: string,
  { method = "GET", body, headers = {}, signal }: AskOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path, method, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString("utf8");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          bytes,
          json: () => JSON.parse(text),
        });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
