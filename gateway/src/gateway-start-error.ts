export type StartProblem = "badConfig" | "addressInUse" | "alreadyRunning";

/** The gateway cannot start; the message is one line for the person who starts it. */
export class GatewayStartError extends Error {
  readonly problem: StartProblem;

  constructor(problem: StartProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.problem = problem;
  }
}
