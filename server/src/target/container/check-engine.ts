import type { EngineInfo } from "../../platform/engine/engine-answers.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { AppError } from "../../platform/errors.ts";
import type { Check } from "../target.ts";
import type { OwnUser } from "./container-user.ts";

const OR_PROCESSES = "or run services as processes (--container-instances process).";

/** Is there an engine, and can it hold services to their limits and share folders with us? */
export async function checkEngine(findEngine: () => Promise<EngineClient>, own: OwnUser): Promise<Check> {
  try {
    return checkInfo(await (await findEngine()).info(), own);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { ok: false, reason: error.message, nextAction: `Start a container engine, ${OR_PROCESSES}` };
  }
}

export function checkInfo(
  { MemoryLimit, SecurityOptions }: Pick<EngineInfo, "MemoryLimit" | "SecurityOptions">,
  own: Pick<OwnUser, "uid">,
): Check {
  const has = (name: string) => SecurityOptions?.some((option) => option.split(",")[0] === `name=${name}`) ?? false;
  if (MemoryLimit === false) {
    return {
      ok: false,
      reason: "The container engine cannot limit memory.",
      nextAction: `Give it the memory controller (delegate it to a rootless engine, or switch it on at boot), ${OR_PROCESSES}`,
    };
  }
  if (has("userns")) {
    return {
      ok: false,
      reason:
        "The container engine gives users other ids than this machine (userns-remap), so folders cannot be shared.",
      nextAction: `Use an engine without it, perhaps a rootless one, ${OR_PROCESSES}`,
    };
  }
  if (has("rootless") && own.uid === 0) {
    return {
      ok: false,
      reason:
        "The container engine is another user's, who may not enter Slipway's folders, since Slipway runs as root.",
      nextAction: `Start Slipway as that user, name root's engine (--container-engine), ${OR_PROCESSES}`,
    };
  }
  return { ok: true };
}
