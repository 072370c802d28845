import { AppError } from "../errors.ts";

const HOW_TO_START =
  "Start Docker (systemctl start docker) or Podman (systemctl start podman.socket), or name the engine's socket with --container-engine unix:///PATH";

export function engineUnreachable(socketPath: string, errno: string): AppError {
  const why =
    errno === "EACCES"
      ? `this user may not open ${socketPath}. Add the user to the group that owns it, or use an engine of the user's own`
      : `nobody answers on ${socketPath} (${errno || "no answer"}). ${HOW_TO_START}`;
  return new AppError({
    code: "EngineUnreachable",
    kind: "unavailable",
    message: `The container engine cannot be reached: ${why}.`,
  });
}

export function engineNotFound(tried: readonly string[]): AppError {
  return new AppError({
    code: "EngineUnreachable",
    kind: "unavailable",
    message: `No container engine answers; tried ${tried.join(", ") || "nothing"}. ${HOW_TO_START}.`,
  });
}

export function engineAddressUnsupported(address: string): AppError {
  return new AppError({
    code: "EngineAddressUnsupported",
    kind: "invalid",
    message: `The container engine ${JSON.stringify(address)} cannot be used: it shares folders with the services, so it must run on this machine. Use unix:///PATH (--container-engine, or DOCKER_HOST).`,
  });
}

export function engineTooOld(version: string, wanted: string): AppError {
  return new AppError({
    code: "EngineTooOld",
    kind: "unsupported",
    message: `The container engine speaks version ${version} of its interface; ${wanted} is the oldest that can be used. Install Docker 20.10, Podman 4 or newer.`,
  });
}

export function engineRefused(call: string, status: number, message: string): AppError {
  return new AppError({
    code: "EngineRefused",
    kind: "internal",
    message: `The container engine refused ${call} (status ${status}): ${message.trim().replace(/\.$/, "")}.`,
  });
}

/** The connection broke, or an answer is not what the interface promises. */
export function engineFailed(call: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  return new AppError({
    code: "EngineFailed",
    kind: "unavailable",
    message: `The container engine did not finish ${call}: ${cause instanceof Error ? cause.message : String(cause)}. Look at the engine's own log.`,
    cause,
  });
}

export function imageNotLoaded(imageId: string, why: string): AppError {
  return new AppError({
    code: "ImageNotLoaded",
    kind: "unavailable",
    message: `The image ${imageId} could not be loaded into the container engine: ${why.trim().replace(/\.$/, "")}. Look at the engine's free disk space and its log.`,
  });
}
