import type { TensorSchema } from "../../tensor/tensor.ts";

export interface ModelSchema {
  readonly name: string;
  readonly inputs: readonly TensorSchema[];
  readonly outputs: readonly TensorSchema[];
}
