import type { Cause } from "@slipway/api";
import type { ModelCall } from "../../protocol/model-call.ts";
import type { ModelSchema } from "./model-schema.ts";
import type { ModelCosts } from "./warm-up.ts";

/** What the scorer and its ONNX threads say to each other. */

export interface OnnxThreadData {
  readonly models: readonly { readonly name: string; readonly file: string }[];
  /** version of all models, for answers */
  readonly version: string;
  readonly threads: number;
}

export interface OnnxJob {
  readonly id: number;
  readonly form: ModelCall["form"];
  /** undefined: the body names it */
  readonly model: string | undefined;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** length of the JSON before binary tensors, as the header has it */
  readonly jsonLength: string | undefined;
  readonly payload: Uint8Array;
}

export interface OnnxAnswer {
  readonly id: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface LoadedModel {
  readonly schema: ModelSchema;
  readonly costs: ModelCosts;
}

export interface RunCount {
  readonly runs: number;
  /** requests that were answered by them */
  readonly requests: number;
}

export interface OnnxJobs {
  readonly jobs: readonly Omit<OnnxJob, "payload">[];
  readonly payloads: Packed;
}

export type OnnxThreadMessage =
  | {
      readonly kind: "ready";
      readonly models: readonly LoadedModel[];
      readonly loadMs: number;
      readonly warmUpMs: number;
    }
  | { readonly kind: "failed"; readonly cause: Cause }
  | {
      readonly kind: "answers";
      readonly answers: readonly Omit<OnnxAnswer, "body">[];
      readonly bodies: Packed;
      readonly counted: RunCount;
    };

/** Several pieces in one buffer, which changes hands without a copy. */
export interface Packed {
  readonly bytes: ArrayBuffer;
  readonly ends: readonly number[];
}

/** Sent by itself, a small piece of a large buffer would take the whole buffer along. */
export function pack(pieces: readonly Uint8Array[]): Packed {
  let end = 0;
  const ends = pieces.map((piece) => {
    end += piece.length;
    return end;
  });
  const bytes = new Uint8Array(end);
  pieces.forEach((piece, index) => {
    bytes.set(piece, (ends[index] as number) - piece.length);
  });
  return { bytes: bytes.buffer, ends };
}

export function unpack({ bytes, ends }: Packed): Uint8Array[] {
  return ends.map((end, index) => new Uint8Array(bytes, ends[index - 1] ?? 0, end - (ends[index - 1] ?? 0)));
}
