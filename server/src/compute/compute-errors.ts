import { AppError } from "../platform/errors.ts";
import type { TargetKind } from "../target/target.ts";
import { type ComputeType, computeTypes } from "./compute.ts";

export const computeTypeUnknown = (text: string) =>
  new AppError({
    code: "ComputeTypeUnknown",
    kind: "invalid",
    message: `computeType is "${text.slice(0, 40)}"; it must be one of ${computeTypes.join(", ")}.`,
  });

export const computeNotConfigured = (type: ComputeType, target: TargetKind) =>
  new AppError({
    code: "ComputeNotConfigured",
    kind: "unsupported",
    message: `Services of compute type ${type} need a ${target} target, which this installation does not have. Deploy with a container-instance configuration (AciWebservice.deploy_configuration) to run on this machine.`,
  });
