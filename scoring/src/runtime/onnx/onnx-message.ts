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
  /** of the jobs, in their order */
  readonly payloads: readonly Uint8Array[];
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
      /** of the answers, in their order */
      readonly bodies: readonly Uint8Array[];
      readonly counted: RunCount;
    };

/** Pieces as they go to another thread: without a copy where that is possible, and with as few buffers as possible. */
export interface Packed {
  readonly pieces: readonly Uint8Array[];
  /** their buffers, which change hands */
  readonly buffers: readonly ArrayBuffer[];
}

/** What is longer than any read from a socket has a buffer of its own; what is shorter may share it with other requests. */
const SHARED_BYTES = 64 * 1024;

/** Large pieces are lost to the caller. Small ones are copied into one buffer: sent by itself, each would take along all around it. */
export function pack(given: readonly Uint8Array[]): Packed {
  const small = given.filter((piece) => !hasOwnBuffer(piece));
  const together = new Uint8Array(small.reduce((sum, { length }) => sum + length, 0));
  const buffers = [together.buffer];
  let end = 0;
  const pieces = given.map((piece) => {
    if (hasOwnBuffer(piece)) {
      buffers.push(piece.buffer);
      return piece;
    }
    together.set(piece, end);
    end += piece.length;
    return together.subarray(end - piece.length, end);
  });
  return { pieces, buffers };
}

function hasOwnBuffer(piece: Uint8Array): piece is Uint8Array<ArrayBuffer> {
  return piece.length > SHARED_BYTES && piece.buffer instanceof ArrayBuffer;
}
