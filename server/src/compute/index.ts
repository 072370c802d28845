export { type ComputeTargets, type ComputeType, computeTargets, parseComputeType } from "./compute.ts";
export { computeNotConfigured, computeTypeUnknown } from "./compute-errors.ts";
