import { DatabaseSync } from "node:sqlite";

/** Held until released, or until the process ends in whatever way: the kernel lets go of it. */
export interface ExclusiveLock {
  release(): void;
}

/**
 * Takes a lock on a file among all processes of this machine. Node has no flock; SQLite's own file lock is the same thing with
 * a maintained implementation. No pid is trusted, so nothing stale can be left behind.
 *
 * @returns undefined when somebody else holds it
 */
export function tryLock(file: string): ExclusiveLock | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA busy_timeout=0; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === 5) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
