import { createHash } from "node:crypto";
import { lstat, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../../platform/errors.ts";
import { MAX_SOCKET_PATH_BYTES, type RunFolder, shortFolder } from "../replica/run-folder.ts";

/**
 * Everything of one replica. Only `shared` and the logs are mounted into the container, and whatever lies there is user code's to
 * change: the record, which decides what is trusted, lies beside them.
 */
export interface ReplicaFolder {
  readonly run: RunFolder;
  readonly recordFile: string;
  /** the container's `/run/slipway` */
  readonly shared: string;
  readonly configFile: string;
  readonly exitFile: string;
  /** takes what its containers, and those who start them, print by themselves */
  readonly outputFile: string;
}

export function replicaFolder(run: RunFolder): ReplicaFolder {
  const shared = join(run.folder, "shared");
  return {
    run,
    recordFile: join(run.folder, "container.json"),
    shared,
    configFile: join(shared, "scorer.json"),
    exitFile: join(shared, "exit.json"),
    outputFile: join(run.folder, "output.log"),
  };
}

/** Where the scorer's sockets are found from outside; through a short link when the path would be too long. */
export async function outerSockets(
  { shared }: ReplicaFolder,
  shortFolderRoot: string,
): Promise<{ readonly httpSocket: string; readonly framesSocket: string }> {
  const at = (folder: string) => ({
    httpSocket: join(folder, "http.sock"),
    framesSocket: join(folder, "frames.sock"),
  });
  if (Buffer.byteLength(at(shared).framesSocket) <= MAX_SOCKET_PATH_BYTES) return at(shared);
  const link = join(await shortFolder(shortFolderRoot), createHash("sha256").update(shared).digest("hex").slice(0, 16));
  await symlink(shared, link).catch((error: unknown) => {
    if (errnoCode(error) !== "EEXIST") throw error;
  });
  return at(link);
}

/** Leaves plain files only: links that user code made must not lead anybody anywhere. */
export async function removeStrangeFiles(logs: string): Promise<void> {
  for (const name of await readdir(logs)) {
    const path = join(logs, name);
    if (!(await lstat(path)).isFile()) await rm(path, { recursive: true, force: true });
  }
}
