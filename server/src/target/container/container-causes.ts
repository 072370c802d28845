import type { Cause } from "@slipway/api";

export function containerRemoved(): Cause {
  return {
    code: "ContainerRemoved",
    message: "The replica's container was removed from the container engine by somebody else.",
    nextAction: "It is made again. Leave containers with the label slipway.installation alone.",
  };
}

/** It was killed, and who did it is not known. */
export function probablyOutOfMemory(limitBytes: number): Cause {
  return {
    code: "OutOfMemory",
    message: `The replica's container was killed, most likely because it used more memory than the service may (limit ${Math.round(limitBytes / (1024 * 1024))} MiB).`,
    nextAction: "Give the service more memory (memory_gb), or load a smaller model.",
    signal: "SIGKILL",
  };
}

export function containerStopped(): Cause {
  return {
    code: "ContainerStopped",
    message: "The replica's container was stopped from outside: by hand, or together with the container engine.",
    nextAction: "It is started again.",
  };
}
