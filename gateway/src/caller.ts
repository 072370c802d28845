import type { Refusal } from "./gateway-errors.ts";
import type { AnswerStart } from "./replica-frames.ts";

/** Who waits for the answer of a scoring call, whatever protocol he speaks. One of `refuse`, `answer` and `begin` is called, once. */
export interface Caller {
  /** bytes of a streamed answer that he has not taken yet */
  readonly lagBytes: number;
  refuse(refusal: Refusal): void;
  /** The whole answer. Returns in words why it cannot be sent; then nothing of it was. */
  answer(answer: AnswerStart): string | undefined;
  /** The beginning of a streamed answer; `part` and `end` follow. Returns as `answer` does. */
  begin(answer: AnswerStart): string | undefined;
  part(bytes: Uint8Array): void;
  end(): void;
  /** The rest of a streamed answer will not come, and he must be able to notice. */
  breakOff(): void;
  /** Calls back once, when he has taken what he was sent. */
  onceDrained(resume: () => void): void;
  /** Calls back once, when he is gone or has everything. */
  onceOver(over: () => void): void;
}
