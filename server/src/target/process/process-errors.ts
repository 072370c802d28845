import type { Cause } from "@slipway/api";
import { AppError } from "../../platform/errors.ts";

export function deploymentIdInvalid(id: string): AppError {
  return new AppError({
    code: "DeploymentIdInvalid",
    kind: "internal",
    message: `The deployment id ${JSON.stringify(id)} cannot name a folder: letters and digits only, at most 40.`,
  });
}

export function socketFolderUnsafe(folder: string, why: string): AppError {
  return new AppError({
    code: "SocketFolderUnsafe",
    kind: "unavailable",
    message: `The data folder's path is too long for Unix sockets, and ${folder} cannot be used instead: ${why}. Use a data folder with a shorter path, or remove ${folder}.`,
  });
}

export function bundleIncomplete(imageId: string, what: string): AppError {
  return new AppError({
    code: "ImageIncomplete",
    kind: "conflict",
    message: `The image ${imageId} cannot run as a process: ${what}. Create the image again.`,
  });
}

export function foreignArchitecture(imageId: string, architecture: string, own: string): AppError {
  return new AppError({
    code: "ForeignArchitecture",
    kind: "conflict",
    message: `The image ${imageId} is made for ${architecture} and cannot run as a process on this machine, which is ${own}. Deploy it where ${architecture} runs, or build it again with --architecture ${own}.`,
  });
}

export function scorerNotStarted(cause: unknown): AppError {
  return new AppError({
    code: "ScorerNotStarted",
    kind: "internal",
    message: `The scorer could not be started: ${cause instanceof Error ? cause.message : String(cause)}.`,
    cause,
  });
}

export function machineRestarted(): Cause {
  return { code: "MachineRestarted", message: "The machine was restarted; the replica has not been started since." };
}

/** The scorer ended without saying why: what it printed last is the best that there is. */
export function scorerEnded(output: string, exit: { exitCode?: number; signal?: string } = {}): Cause {
  const how = exit.signal
    ? `killed by ${exit.signal}`
    : exit.exitCode === undefined
      ? ""
      : `exit code ${exit.exitCode}`;
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const said = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
  const message = [`The scorer ended unexpectedly${how && ` (${how})`}`, said?.trim()].filter(Boolean).join(": ");
  return {
    code: "ScorerEnded",
    message: `${message.replace(/\.$/, "")}.`,
    nextAction: "It is started again. If it ends again, look at the logs and at the machine's memory.",
    ...(lines.length > 0 ? { traceback: lines.slice(-20).join("\n") } : {}),
    ...exit,
  };
}

export function scorerOutOfMemory(limitBytes: number): Cause {
  return {
    code: "OutOfMemory",
    message: `The replica was stopped because it used more memory than the service may (limit ${Math.round(limitBytes / (1024 * 1024))} MiB).`,
    nextAction: "Give the service more memory (memory_gb), or load a smaller model.",
    signal: "SIGKILL",
  };
}

export function startTooSlow(startTimeoutMs: number): Cause {
  return {
    code: "StartTimeout",
    message: `The replica was not ready ${Math.round(startTimeoutMs / 100) / 10} s after its start.`,
    nextAction: "Look at the logs for what init() does, and load less in init() or allow more time.",
  };
}

export function scorerSilent(): Cause {
  return {
    code: "ScorerSilent",
    message: "The scorer's process runs, but does not answer on its socket.",
    nextAction: "It is replaced by a new one.",
  };
}
