import type { TargetKind } from "../target/target.ts";

/** What the wire calls a kind of compute. */
export const computeTypes = ["ACI", "AKS", "IOT", "FPGA"] as const;
export type ComputeType = (typeof computeTypes)[number];

export type ComputeTargets = Readonly<Record<ComputeType, TargetKind>>;

/** Which target runs services of which compute type. `containerInstances` is a setting of the installation. */
export function computeTargets(containerInstances: "process" | "container"): ComputeTargets {
  return { ACI: containerInstances, AKS: "kubernetes", IOT: "edge", FPGA: "accelerator" };
}

/** The compute type that a text names, in any case; undefined if there is none. */
export function parseComputeType(text: string): ComputeType | undefined {
  return computeTypes.find((type) => type === text.toUpperCase());
}
