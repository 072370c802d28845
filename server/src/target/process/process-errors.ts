import { AppError } from "../../platform/errors.ts";

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
