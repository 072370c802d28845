import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

/** Unprivileged user ids that belong to nobody, from which each owner gets one. */
export interface UserRange {
  readonly first: number;
  readonly count: number;
}

/** High above what distributions give to people and services; the second one for containers that know 65536 ids only. */
const RANGES: readonly UserRange[] = [
  { first: 200_000, count: 1_000_000 },
  { first: 30_000, count: 30_000 },
];

/** @returns undefined when we may not change users, or when this user namespace has no ids to spare */
export async function spareUserRange(): Promise<UserRange | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const map = await readFile("/proc/self/uid_map", "utf8").catch(() => "");
  const known = map
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([inside = 0, , count = 0]) => ({ first: inside, end: inside + count }));
  return RANGES.find((range) =>
    known.some((part) => part.first <= range.first && range.first + range.count <= part.end),
  );
}

/** The same owner gets the same id, so that what it wrote stays its own. */
export function userOf(range: UserRange, owner: string): number {
  return range.first + (createHash("sha256").update(owner).digest().readUInt32BE(0) % range.count);
}

/** `setpriv` arguments that give up every right and every way back to one. */
export function dropTo(setpriv: string, user: number): readonly string[] {
  return [
    setpriv,
    `--reuid=${user}`,
    `--regid=${user}`,
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
    // Set anew, since the kernel forgets it when the user changes: nothing outlives the program that started it.
    "--pdeathsig=KILL",
    "--",
  ];
}
