import type { Interpreter } from "./python-choice.ts";
import type { RunContext } from "./uv.ts";

export interface ResolveRequest {
  /** PEP 508 */
  readonly requirements: readonly string[];
  readonly options: readonly string[];
  readonly interpreter: Interpreter;
  /** folder of the caller for temporary files */
  readonly workFolder: string;
  /** said in an error beside what does not fit: "Python 3.6 was asked for …" */
  readonly remark: string;
}

/** Turns what is asked for into exact packages. The same request may give another lock on another day; whoever needs the same keeps it. */
export interface Resolver {
  /**
   * @returns the lock: exact versions with the hashes of their files, requirements.txt format
   * @throws {AppError} EnvironmentUnsolvable, EnvironmentIndexUnreachable, PackageBuildFailed
   */
  resolve(request: ResolveRequest, context: RunContext): Promise<string>;
}
