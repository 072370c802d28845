import { createHash } from "node:crypto";
import { lstat, mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoCode } from "../../platform/errors.ts";
import { deploymentIdInvalid, socketFolderUnsafe } from "./replica-errors.ts";

/** Everything of one replica lies here; the layout is part of `ScorerConfig`'s contract. */
export interface RunFolder {
  readonly deploymentId: string;
  readonly replicaId: string;
  readonly folder: string;
  readonly configFile: string;
  readonly startFile: string;
  readonly recordFile: string;
  readonly exitFile: string;
  readonly logs: string;
  readonly crashLog: string;
  readonly home: string;
}

/** A Unix socket's path has 107 bytes; some are left for the name that a listener makes before it renames. */
export const MAX_SOCKET_PATH_BYTES = 100;

export function runFolder(root: string, deploymentId: string, index: number): RunFolder {
  checkDeploymentId(deploymentId);
  const replicaId = `${deploymentId}-${index}`;
  const folder = join(root, replicaId);
  const logs = join(folder, "logs");
  return {
    deploymentId,
    replicaId,
    folder,
    configFile: join(folder, "scorer.json"),
    startFile: join(folder, "start.json"),
    recordFile: join(folder, "process.json"),
    exitFile: join(folder, "exit.json"),
    logs,
    crashLog: join(logs, "crash.log"),
    home: join(folder, "home"),
  };
}

/** Ids become names of folders. */
export function checkDeploymentId(id: string): void {
  if (!/^[A-Za-z0-9]{1,40}$/.test(id)) throw deploymentIdInvalid(id);
}

/** The run folders that exist: of one deployment, or of all. */
export async function existingRunFolders(root: string, deploymentId?: string): Promise<readonly RunFolder[]> {
  const names = await readdir(root).catch((error: unknown) => {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  });
  return names
    .map((name) => runFolderAt(join(root, name)))
    .filter((run) => run !== undefined)
    .filter((run) => deploymentId === undefined || run.deploymentId === deploymentId)
    .sort((one, other) => one.replicaId.localeCompare(other.replicaId, "en", { numeric: true }));
}

/** @returns undefined for a path that is no run folder's */
export function runFolderAt(folder: string): RunFolder | undefined {
  const [, id, index] = /^([A-Za-z0-9]{1,40})-([0-9]{1,4})$/.exec(basename(folder)) ?? [];
  return id === undefined ? undefined : runFolder(dirname(folder), id, Number(index));
}

/** Sockets lie in the run folder, or in a short folder of our own when the path would be too long. */
export async function socketPaths(
  run: RunFolder,
  shortFolderRoot: string,
): Promise<{ readonly httpSocket: string; readonly framesSocket: string }> {
  const framesSocket = join(run.folder, "frames.sock");
  if (Buffer.byteLength(framesSocket) <= MAX_SOCKET_PATH_BYTES) {
    return { httpSocket: join(run.folder, "http.sock"), framesSocket };
  }
  const short = await shortFolder(shortFolderRoot);
  const name = createHash("sha256").update(run.folder).digest("hex").slice(0, 16);
  const paths = { httpSocket: join(short, `${name}.http`), framesSocket: join(short, `${name}.frames`) };
  if (Buffer.byteLength(paths.framesSocket) > MAX_SOCKET_PATH_BYTES)
    throw socketFolderUnsafe(short, "its path is too long");
  return paths;
}

/** A folder of our own for sockets or links to them, with a short path. */
export async function shortFolder(shortFolderRoot: string): Promise<string> {
  const folder = join(shortFolderRoot, `slipway-${process.getuid?.() ?? 0}`);
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoCode(error) !== "EEXIST") throw error;
  }
  // Everybody may write to the folder for temporary files: what is there already need not be ours.
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
    throw socketFolderUnsafe(folder, "it is not a folder that only this user may enter");
  }
  return folder;
}
