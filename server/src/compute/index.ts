export { type ComputeTargets, type ComputeType, computeTargets, computeTypes, parseComputeType } from "./compute.ts";
export { computeNotConfigured, computeTypeUnknown } from "./compute-errors.ts";
