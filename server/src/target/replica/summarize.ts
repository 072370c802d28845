import type { Observation, ReplicaObservation } from "../target.ts";

/** One state for all replicas, with the first cause that explains why it is not `ready`. */
export function summarize(replicas: readonly ReplicaObservation[]): Omit<Observation, "enforcement"> {
  const state = stateOf(replicas);
  const cause = replicas.find((replica) => replica.state !== "ready" && replica.cause !== undefined)?.cause;
  return { state, replicas, ...(state !== "ready" && cause && { cause }) };
}

function stateOf(replicas: readonly ReplicaObservation[]): Observation["state"] {
  const ready = replicas.filter((replica) => replica.state === "ready").length;
  if (ready === replicas.length) return "ready";
  if (ready > 0) return "degraded";
  return replicas.every((replica) => replica.state === "starting") ? "starting" : "failed";
}
