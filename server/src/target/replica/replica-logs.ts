import { constants } from "node:fs";
import { cp, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../../platform/errors.ts";
import { checkDeploymentId, existingRunFolders, type RunFolder } from "./run-folder.ts";

/** Oldest first. */
const LOG_FILES = ["scorer.log.1", "scorer.log", "crash.log"];
const MAX_BYTES_PER_FILE = 1024 * 1024;
/** Enough to ask "what happened to the service that I deleted this morning". */
const RETIRED_DEPLOYMENTS = 20;

interface LogLine {
  /** ISO time of this line or of the last one before it that has a time */
  readonly time: string;
  readonly text: string;
}

/**
 * The newest lines of all replicas in the order of their times, also of a deployment that is gone.
 *
 * @param newest what a replica has printed that is in no file yet
 */
export async function readLogs(
  root: string,
  deploymentId: string,
  tail: number,
  newest: (run: RunFolder) => Promise<string> = async () => "",
): Promise<string> {
  checkDeploymentId(deploymentId);
  const sources = [
    ...(await retiredLogFolders(root, deploymentId)).map((source) => ({ ...source, rest: "" })),
    ...(await Promise.all(
      (
        await existingRunFolders(root, deploymentId)
      ).map(async (run) => ({
        name: run.replicaId,
        folder: run.logs,
        rest: await newest(run),
      })),
    )),
  ];
  const several = new Set(sources.map(({ name }) => name)).size > 1;
  const lines: LogLine[] = [];
  for (const { name, folder, rest } of sources) {
    for (const line of await linesOf(folder, rest)) {
      lines.push(several ? { ...line, text: `[${name}] ${line.text}` } : line);
    }
  }
  lines.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  return lines
    .slice(Math.max(0, lines.length - tail))
    .map(({ text }) => `${text}\n`)
    .join("");
}

/** Keeps the logs of a replica that is about to be removed, and no more than the last few deployments' at all. */
export async function retireLogs(root: string, deploymentId: string, run: RunFolder): Promise<void> {
  const destination = join(root, "retired", deploymentId, run.replicaId);
  await mkdir(join(root, "retired", deploymentId), { recursive: true, mode: 0o700 });
  try {
    await rename(run.logs, destination);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return;
    if (errnoCode(error) !== "ENOTEMPTY" && errnoCode(error) !== "EEXIST") throw error;
    // The same revision ran and was removed before: its newer logs count.
    await cp(run.logs, destination, { recursive: true, force: true });
    await rm(run.logs, { recursive: true, force: true });
  }
  await forgetOldest(join(root, "retired"));
}

async function forgetOldest(retired: string): Promise<void> {
  const aged = await Promise.all(
    (await readdir(retired)).map(async (name) => {
      const found = await stat(join(retired, name)).catch(() => undefined);
      return { name, changedAt: found?.mtimeMs ?? 0 };
    }),
  );
  aged.sort((one, other) => other.changedAt - one.changedAt);
  for (const { name } of aged.slice(RETIRED_DEPLOYMENTS)) {
    await rm(join(retired, name), { recursive: true, force: true });
  }
}

async function retiredLogFolders(root: string, deploymentId: string) {
  const folder = join(root, "retired", deploymentId);
  const names = await readdir(folder).catch(() => []);
  return names.sort().map((name) => ({ name, folder: join(folder, name) }));
}

async function linesOf(folder: string, rest: string): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  let time = "";
  const files = await Promise.all(LOG_FILES.map((file) => endOf(join(folder, file))));
  for (const content of [...files, rest]) {
    for (const text of content.split("\n")) {
      if (text === "") continue;
      time = /^\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(text)?.[0] ?? time;
      lines.push({ time, text });
    }
  }
  return lines;
}

async function endOf(path: string): Promise<string> {
  try {
    // User code may have put a link or a pipe there, where it can reach the folder.
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) return "";
    const { size } = found;
    const length = Math.min(size, MAX_BYTES_PER_FILE);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.subarray(0, bytesRead).toString("utf8");
    return length < size ? text.slice(text.indexOf("\n") + 1) : text;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(errnoCode(error) ?? "")) return "";
    throw error;
  }
}
