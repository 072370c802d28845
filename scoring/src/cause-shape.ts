import type { Cause } from "@slipway/api";
import { objectOf, optional, type Shape, text, wholeNumber } from "./shape.ts";

const causeShape = objectOf({
  code: text,
  message: text,
  nextAction: optional(text),
  file: optional(text),
  line: optional(wholeNumber()),
  traceback: optional(text),
  exitCode: optional(wholeNumber()),
  signal: optional(text),
} satisfies Readonly<Record<keyof Cause, Shape>>);

export function isCause(value: unknown): value is Cause {
  return causeShape(value, "").length === 0;
}
