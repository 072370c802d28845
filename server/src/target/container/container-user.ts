import type { EngineInfo } from "../../platform/engine/engine-answers.ts";
import { type UserRange, userOf } from "../../platform/sandbox-user.ts";

/** As whom a container runs, seen from inside, and who owns its folders, seen from outside. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Podman: ids inside are those outside */
  readonly keepId: boolean;
  /** undefined: its folders stay ours */
  readonly owner?: number;
}

export interface OwnUser {
  readonly uid: number;
  readonly gid: number;
  /** ids of nobody, if we may hand them out */
  readonly spare: UserRange | undefined;
}

/**
 * Never root of this machine. As root we give each deployment an id of its own; else it is our own id, under which files that
 * it writes are ours to remove. Rootless Docker calls that id 0 inside.
 */
export function containerUser(
  deploymentId: string,
  own: OwnUser,
  { SecurityOptions }: Pick<EngineInfo, "SecurityOptions">,
  isPodman: boolean,
): ContainerUser {
  const rootless = SecurityOptions?.some((option) => option.includes("rootless")) ?? false;
  if (own.uid === 0) {
    const uid = own.spare === undefined ? 65_534 : userOf(own.spare, deploymentId);
    return { uid, gid: uid, keepId: false, owner: uid };
  }
  if (rootless && !isPodman) return { uid: 0, gid: 0, keepId: false };
  return { uid: own.uid, gid: own.gid, keepId: rootless };
}
