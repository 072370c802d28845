import type { Workspace } from "../workspace/index.ts";
import type { Operation } from "./operation.ts";

/** What only the room that owns an operation can say of it on the wire (wire contract, section 8). */
export interface OperationDescription {
  /** `Image`, `Service` … */
  readonly operationType: string;
  /** relative resource id (`subscriptions/…/images/myimage:1`), known from the first read on; null if nothing is made */
  readonly resourceLocation: string | null;
  /** address of a log that opens without a token */
  readonly operationLog?: string;
  /** decides the hint that the client prints on failure; default: `operationType` */
  readonly subOperationType?: string;
  /** The genuine client prints the log as it comes; its first read names no offset and prints nothing, so it must not last long. */
  readonly streamsLog?: boolean;
  /** The asker needs its first answer at once and does not wait for the end yet. */
  readonly answerFirstReadAtOnce?: boolean;
}

/** One for each kind of operation; rooms bring theirs, so that this room need not know them. */
export type DescribeOperation = (operation: Operation, workspace: Workspace) => Promise<OperationDescription>;

export type OperationDescriptions = Readonly<Record<string, DescribeOperation>>;
