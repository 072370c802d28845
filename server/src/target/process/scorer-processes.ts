import { dirname } from "node:path";
import { findProcesses, type ProcessIdentity } from "../../platform/process-identity.ts";
import { existingRunFolders, type RunFolder, runFolderAt } from "../replica/run-folder.ts";

/** Every scorer that was started for this run folder, by its arguments; perhaps by an older version of this program. */
export function scorersOf(run: RunFolder): Promise<readonly ProcessIdentity[]> {
  return findProcesses((args) => scoredFolder(args) === run.folder);
}

/** Replicas of one deployment or of all: those with a run folder, and those whose scorer runs although its folder is lost. */
export async function replicasThere(root: string, deploymentId?: string): Promise<readonly RunFolder[]> {
  const runs = new Map((await existingRunFolders(root, deploymentId)).map((run) => [run.folder, run]));
  await findProcesses((args) => {
    const folder = scoredFolder(args);
    const run = folder !== undefined && dirname(folder) === root ? runFolderAt(folder) : undefined;
    if (run !== undefined && (deploymentId === undefined || run.deploymentId === deploymentId))
      runs.set(run.folder, run);
    return false;
  });
  return [...runs.values()];
}

function scoredFolder(args: readonly string[]): string | undefined {
  return /\/main\.[jt]s$/.test(args.at(-2) ?? "") ? args.at(-1) : undefined;
}
