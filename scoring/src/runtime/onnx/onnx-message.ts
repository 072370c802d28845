import type { Cause } from "@slipway/api";
import type { ModelSchema } from "./model-schema.ts";

/** What the scorer and its ONNX threads say to each other. */

export interface OnnxThreadData {
  readonly models: readonly { readonly name: string; readonly file: string }[];
  readonly threads: number;
}

export interface OnnxJob {
  readonly id: number;
  readonly model: string;
  readonly payload: Uint8Array;
}

export type OnnxThreadMessage =
  | { readonly kind: "ready"; readonly models: readonly ModelSchema[]; readonly loadMs: number }
  | { readonly kind: "failed"; readonly cause: Cause }
  | { readonly kind: "answer"; readonly id: number; readonly status: number; readonly body: Uint8Array };
