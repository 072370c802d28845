import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { newShortId } from "../platform/ids.ts";
import {
  findProcesses,
  identifyProcess,
  isAlive,
  killGroup,
  type ProcessIdentity,
} from "../platform/process-identity.ts";

/** Temporary folders that name their process, so that those of killed ones can be told and removed. */
export function createWorkFolders(parent: string) {
  return {
    async use<T>(work: (folder: string) => Promise<T>): Promise<T> {
      const owner = await identifyProcess(process.pid);
      const folder = join(parent, `${owner === undefined ? "unknown" : format(owner)}_${newShortId()}`);
      await mkdir(folder, { recursive: true, mode: 0o755 });
      try {
        return await work(folder);
      } finally {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
    },

    async removeAbandoned(): Promise<number> {
      const names = await readdir(parent).catch(() => []);
      const abandoned: string[] = [];
      for (const name of names) {
        const owner = parse(name);
        if (owner === undefined || !(await isAlive(owner))) abandoned.push(name);
      }
      for (const name of abandoned) {
        const folder = join(parent, name);
        // What a killed process started lives on and would make its files again.
        const orphans = await findProcesses((args) => args.some((arg) => arg.startsWith(`${folder}/`)));
        for (const orphan of orphans) await killGroup(orphan);
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
      return abandoned.length;
    },
  };
}

function format({ bootId, pid, startTicks }: ProcessIdentity): string {
  return `${bootId}_${pid}_${startTicks}`;
}

function parse(name: string): ProcessIdentity | undefined {
  const [, bootId, pid, startTicks] = /^([^_]+)_(\d+)_(\d+)_/.exec(name) ?? [];
  if (bootId === undefined || pid === undefined || startTicks === undefined) return undefined;
  return { bootId, pid: Number(pid), startTicks };
}
