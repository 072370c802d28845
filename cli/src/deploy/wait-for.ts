import type { Operation } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import type { Session } from "../session.ts";
import type { Step } from "../terminal/progress.ts";

/** Waits for an operation and shows its log. Ctrl-C stops the waiting; the work goes on at the server, and the message says so. */
export async function waitFor(
  session: Pick<Session, "client" | "signal">,
  operationId: string,
  step: Step,
): Promise<Operation> {
  try {
    return await session.client.operations.wait(operationId, {
      signal: session.signal,
      onLog: (entry) => step.log(entry.text),
    });
  } catch (error) {
    if (!session.signal.aborted) throw error;
    throw new CliError(
      "Interrupted",
      "interrupted",
      `The server goes on. Wait for it again with \`slipway operation wait ${operationId}\`, or stop it with \`slipway operation cancel ${operationId}\`.`,
      error,
    );
  }
}
