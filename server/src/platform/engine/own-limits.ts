import { readFile } from "node:fs/promises";

/** `ulimit` of a container's processes. */
export interface Limit {
  readonly Name: "nofile" | "nproc";
  readonly Soft: number;
  readonly Hard: number;
}

const WANTED = [
  { name: "nofile", line: "Max open files", most: 65_536 },
  { name: "nproc", line: "Max processes", most: 20_000 },
] as const;

/**
 * Where this machine's limits are finite, a container asks for no more: engines ask for far more by default, and on a machine that
 * may not raise limits no container of theirs starts.
 */
export async function ownLimits(file = "/proc/self/limits"): Promise<readonly Limit[]> {
  const text = await readFile(file, "utf8");
  return WANTED.flatMap(({ name, line, most }) => {
    const hard = Number(new RegExp(`^${line}\\s+\\S+\\s+(\\S+)`, "m").exec(text)?.[1]);
    return Number.isSafeInteger(hard) ? [{ Name: name, Soft: Math.min(most, hard), Hard: Math.min(most, hard) }] : [];
  });
}
