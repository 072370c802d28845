import type { Cause } from "@slipway/api";

export function containerRemoved(): Cause {
  return {
    code: "ContainerRemoved",
    message: "The replica's container was removed from the container engine by somebody else.",
    nextAction: "It is made again. Leave containers with the label slipway.installation alone.",
  };
}

export function containerStopped(): Cause {
  return {
    code: "ContainerStopped",
    message: "The replica's container was stopped from outside: by hand, or together with the container engine.",
    nextAction: "It is started again.",
  };
}
