import type { AppError } from "../platform/errors.ts";
import type { Operation } from "./operation.ts";

/** What a step sees of the world. */
export interface StepContext<Input, State> {
  readonly operationId: string;
  readonly workspaceId: string;
  readonly input: Input;
  /** what the steps before this one returned, merged */
  readonly state: Readonly<Partial<State>>;
  /** aborted when the operation is cancelled, its deadline passes, or this process must let go of it */
  readonly signal: AbortSignal;
  /** Adds a line to the operation's log, with the time. It survives a crash and is streamed to whoever waits. */
  say(text: string): void;
  /** Waits for another operation of this workspace to end, whatever its end is, and relays its log into this one's. */
  follow(operationId: string): Promise<Operation>;
}

/**
 * One step: ask the world first, then do it. `run` may be called again after a crash at any moment, so it must be
 * idempotent: by operation id, by content digest, or by asking. What it returns is stored before the next step begins.
 */
export interface Step<Input, State> {
  readonly name: string;
  /** Longer than this and the step fails with `StepTimeout`, naming it. */
  readonly timeoutMs: number;
  run(context: StepContext<Input, State>): Promise<Partial<State> | undefined>;
}

export interface OperationDefinition<Input = unknown, State = Record<string, unknown>> {
  readonly kind: string;
  /** Raise it when steps change their meaning: a stored operation of another version fails with `OperationVersionChanged`. */
  readonly version: number;
  readonly steps: readonly Step<Input, State>[];
  /**
   * Called once when a step threw, or the operation was cancelled, before the operation becomes terminal. Idempotent as a step.
   * It puts the resource into the state that the failure means; when it throws, that error is logged and the operation ends all the same.
   */
  failed?(context: StepContext<Input, State>, error: AppError): Promise<void>;
}

/** Keeps the types of one definition together; the engine itself knows no room. */
export function defineOperation<Input, State>(
  definition: OperationDefinition<Input, State>,
): OperationDefinition<Input, State> {
  return definition;
}

/** The required value of an earlier step. */
export function need<State, Key extends keyof State>(
  state: Readonly<Partial<State>>,
  key: Key,
): NonNullable<State[Key]> {
  const value = state[key];
  if (value === undefined || value === null) throw new Error(`The operation has no "${String(key)}" yet.`);
  return value;
}
