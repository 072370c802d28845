import { expect, test } from "vitest";
import { modelNameFor } from "./register-model.ts";

test.each([
  ["models/digits.pkl", "digits"],
  ["digits-1.pkl", "digits-1"],
  ["exported/", "exported"],
  ["my model (new).onnx", "my-model-new-"],
  ["größe.bin", "gr-e"],
  ["???.pkl", "-"],
])("%s is registered as %s", (path, name) => expect(modelNameFor(path)).toBe(name));
