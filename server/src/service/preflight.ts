import type { Cause, ReplicaRoute } from "@slipway/api";
import type { Model, ModelReader } from "../model/index.ts";
import { ifFound } from "../platform/errors.ts";
import { callReplica } from "./replica-call.ts";

/** A sample is there to show that `run()` works, not to measure it. */
const MAX_SAMPLE_MS = 60_000;
const MAX_SHOWN_CHARACTERS = 2_000;

export interface PreflightRequest {
  readonly workspaceId: string;
  readonly modelIds: readonly string[];
  readonly replica: ReplicaRoute;
  readonly scoringTimeoutMs: number;
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** One `run()` before traffic, if an input is known: the cause if it fails, else undefined. */
export async function preflight(models: ModelReader, request: PreflightRequest): Promise<Cause | undefined> {
  const { replica, scoringTimeoutMs, say } = request;
  const timeoutMs = Math.min(scoringTimeoutMs, MAX_SAMPLE_MS);
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([request.signal, deadline]);
  try {
    const sample = (await modelSample(models, request)) ?? (await swaggerSample(replica, signal));
    if (sample === undefined) {
      say("No sample input is known; run() is not checked.");
      return undefined;
    }
    say(`Checking run() with the sample input of ${sample.from}.`);
    const begin = performance.now();
    const { status, body } = await callReplica(
      replica,
      {
        method: "POST",
        path: "/score",
        headers: { "content-type": "application/json" },
        body: Buffer.from(JSON.stringify(sample.input)),
      },
      signal,
    );
    if (status >= 400) return sampleFailed(sample.from, status, Buffer.from(body).toString("utf8"));
    say(`run() answered in ${((performance.now() - begin) / 1000).toFixed(2)} s.`);
    return undefined;
  } catch (error) {
    request.signal.throwIfAborted();
    if (deadline.aborted) return sampleTooSlow(timeoutMs);
    return { code: "PreflightFailed", message: `The replica could not be asked: ${(error as Error).message}` };
  }
}

interface Sample {
  readonly from: string;
  readonly input: unknown;
}

async function modelSample(models: ModelReader, request: PreflightRequest): Promise<Sample | undefined> {
  for (const id of request.modelIds) {
    const model = await ifFound(models.get(request.workspaceId, id));
    const input = model && sampleInput(model);
    if (input !== undefined) return { from: `model ${id}`, input };
  }
  return undefined;
}

/** The genuine client stores a reference to a data set here; only an input that is there itself can be sent. */
function sampleInput({ sampleInputData: sample }: Model): unknown {
  if (typeof sample === "object" && sample !== null) return sample;
  if (typeof sample !== "string" || !/^\s*[[{]/.test(sample)) return undefined;
  try {
    return JSON.parse(sample);
  } catch {
    return undefined;
  }
}

/** Scripts with an input schema give an example of it in their `swagger.json`. */
async function swaggerSample(replica: ReplicaRoute, signal: AbortSignal): Promise<Sample | undefined> {
  const answer = await callReplica(replica, { method: "GET", path: "/swagger.json" }, signal);
  if (answer.status !== 200) return undefined;
  try {
    const { definitions, components } = JSON.parse(Buffer.from(answer.body).toString("utf8"));
    const input = (definitions ?? components?.schemas)?.ServiceInput?.example;
    return input === undefined ? undefined : { from: "swagger.json", input };
  } catch {
    return undefined;
  }
}

function sampleFailed(from: string, status: number, text: string): Cause {
  return {
    code: "SampleRunFailed",
    message: `The sample input of ${from} failed (HTTP ${status}): ${messageIn(text).slice(0, MAX_SHOWN_CHARACTERS)}`,
    nextAction: "Mend score.py, or the sample input if it is out of date.",
  };
}

/** The scorer's error envelope, or whatever score.py answered itself. */
function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    return typeof error?.message === "string" ? error.message : text;
  } catch {
    return text;
  }
}

function sampleTooSlow(timeoutMs: number): Cause {
  return {
    code: "SampleRunTooSlow",
    message: `run() did not answer the sample input within ${timeoutMs / 1000} s.`,
    nextAction: "Make run() faster, or raise scoring_timeout_ms.",
  };
}
