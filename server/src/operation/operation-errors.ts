import { AppError } from "../platform/errors.ts";

export const operationNotFound = (id: string) =>
  new AppError({
    code: "OperationNotFound",
    kind: "notFound",
    message: `There is no operation ${id} in this workspace. \`slipway operation list\` shows the latest.`,
  });

export const operationCrashLoop = (attempts: number, step: string | null) =>
  new AppError({
    code: "OperationCrashLoop",
    kind: "internal",
    message: `The control plane ended ${attempts} times while it worked on this (last step: ${step ?? "none"}). It will not be tried again; see the server's log, then start it anew.`,
  });

export const operationVersionChanged = (kind: string, stored: number, current: number | undefined) =>
  new AppError({
    code: "OperationVersionChanged",
    kind: "conflict",
    message: `This ${kind} was begun by another version of Slipway (${stored}, now ${current ?? "unknown"}) and cannot be continued. Start it anew.`,
  });

export const operationCancelled = () =>
  new AppError({ code: "OperationCancelled", kind: "canceled", message: "The operation was cancelled." });

export const stepTimeout = (step: string, seconds: number) =>
  new AppError({
    code: "StepTimeout",
    kind: "timeout",
    message: `The step "${step}" took longer than ${seconds} s and was stopped. The log of the operation shows how far it came.`,
  });
