import { spareUserRange } from "../../platform/sandbox-user.ts";
import type { OwnUser } from "./container-user.ts";

/** As whom the control plane itself runs. */
export async function ownUser(): Promise<OwnUser> {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, spare: await spareUserRange() };
}
