import { AppError } from "../../platform/errors.ts";

const shown = (text: string) => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);

export const dockerStepInvalid = (line: number, reason: string) =>
  new AppError({
    code: "DockerStepInvalid",
    kind: "invalid",
    message: `Docker steps, line ${line}: ${reason}. Correct the line and create the image again.`,
  });

export const dockerStepUnsupported = (line: number, step: string, reason: string) =>
  new AppError({
    code: "DockerStepUnsupported",
    kind: "invalid",
    message: `Docker steps, line ${line}: ${shown(step)} is not possible, because ${reason}. FROM, ENV, LABEL, WORKDIR, USER, EXPOSE, COPY and RUN are; for everything else build a base image and name it as base_image.`,
  });

const named = (line: number, command: string) => `Docker steps, line ${line}: RUN ${shown(command)}`;

/** @param reason a whole sentence */
export const runStepNeedsEngine = (line: number, command: string, reason: string) =>
  new AppError({
    code: "RunStepNeedsEngine",
    kind: "invalid",
    message: `${named(line, command)} needs a container engine, since everything else of an image is assembled without one. ${reason} Or name packages in the conda file, or build a base image with this step elsewhere, push it to a registry, and name it as base_image.`,
  });

export const runStepNeedsBase = (line: number, command: string, reason: string) =>
  new AppError({
    code: "RunStepNeedsBase",
    kind: "conflict",
    message: `${named(line, command)} needs a base image to run on, and there is none. ${reason}`,
  });

/** @param lastLines of what it has printed */
export function runStepFailed(
  line: number,
  command: string,
  end: { readonly exitCode: number; readonly outOfMemory: boolean },
  lastLines: readonly string[],
): AppError {
  const why = end.outOfMemory ? "needed more memory than such a step may have" : `ended with exit code ${end.exitCode}`;
  const printed = lastLines.length === 0 ? "It printed nothing." : `Its last lines: ${lastLines.join("\n")}`;
  return new AppError({
    code: "RunStepFailed",
    kind: "invalid",
    message: `${named(line, command)} ${why}. Correct the step and create the image again; the build log has all that it printed. ${printed}`,
  });
}

/** @param reason the engine's words */
export const runStepNotStarted = (line: number, command: string, reason: string) =>
  new AppError({
    code: "RunStepNotStarted",
    kind: "invalid",
    message: `${named(line, command)} could not be started: ${reason} Does the base have this program, and the user of the USER step?`,
  });

export const runStepTooLong = (line: number, command: string, minutes: number) =>
  new AppError({
    code: "RunStepTooLong",
    kind: "timeout",
    message: `${named(line, command)} did not end within ${minutes} minutes and was stopped. Make it shorter, or build a base image with this step and name it as base_image.`,
  });
