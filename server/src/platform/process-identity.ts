import { readdir, readFile, stat } from "node:fs/promises";
import { errnoCode } from "./errors.ts";

/** Names one process for ever: a pid alone is given again to others. */
export interface ProcessIdentity {
  readonly bootId: string;
  readonly pid: number;
  /** clock ticks after boot at which it started; text, since it is only compared */
  readonly startTicks: string;
}

interface ProcessStat {
  readonly state: string;
  readonly group: number;
  readonly session: number;
  readonly startTicks: string;
}

/** @returns undefined when there is no such process, or only its zombie */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const found = await readStat(pid);
  if (found === undefined || isOver(found)) return undefined;
  return { bootId: await currentBootId(), pid, startTicks: found.startTicks };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Sends a signal if it still is that process. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  if (!(await isAlive(identity))) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if (errnoCode(error) !== "ESRCH") throw error;
  }
}

/**
 * Ends every process of the group and session that `leader` began, whether or not the leader lives. The kernel does not give a
 * group's number to a new process while the group has members, so members that are no older than the leader are its own.
 */
export async function killGroup(leader: ProcessIdentity): Promise<void> {
  if (leader.bootId !== (await currentBootId())) return;
  for (let attempt = 0; attempt < 20; attempt++) {
    const members = await groupMembers(leader);
    if (members.length === 0) return;
    for (const member of members) await signalProcess(member, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Processes of our own user whose arguments satisfy `matches`. */
export async function findProcesses(
  matches: (args: readonly string[]) => boolean,
): Promise<readonly ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const pid of await allPids()) {
    try {
      if ((await stat(`/proc/${pid}`)).uid !== process.getuid?.()) continue;
      const args = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
      if (!matches(args)) continue;
      const identity = await identifyProcess(pid);
      if (identity !== undefined) found.push(identity);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return found;
}

async function groupMembers(leader: ProcessIdentity): Promise<readonly ProcessIdentity[]> {
  const members: ProcessIdentity[] = [];
  for (const pid of await allPids()) {
    const found = await readStat(pid);
    if (found === undefined || isOver(found)) continue;
    if (found.group !== leader.pid || found.session !== leader.pid) continue;
    if (BigInt(found.startTicks) < BigInt(leader.startTicks)) continue;
    members.push({ bootId: leader.bootId, pid, startTicks: found.startTicks });
  }
  return members;
}

async function allPids(): Promise<readonly number[]> {
  return (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

/** A zombie keeps its number and its start time until it is reaped, in a container without an init for ever. */
function isOver(found: ProcessStat): boolean {
  return found.state === "Z" || found.state === "X";
}

async function readStat(pid: number): Promise<ProcessStat | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** proc(5): the second field is the program's name in brackets, which may itself hold brackets and spaces. */
export function parseStat(text: string): ProcessStat | undefined {
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
  const [state, , group, session] = fields;
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined) return undefined;
  return { state, group: Number(group), session: Number(session), startTicks };
}

function isGone(error: unknown): boolean {
  const code = errnoCode(error);
  return code === "ENOENT" || code === "ESRCH" || code === "EACCES";
}

let knownBootId: Promise<string> | undefined;

/** Another one means that the machine was restarted in between. */
export function currentBootId(): Promise<string> {
  knownBootId ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim());
  return knownBootId;
}
