import { AppError } from "../platform/errors.ts";

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
    message: `Docker steps, line ${line}: ${shown(step)} is not possible, because ${reason}. FROM, ENV, LABEL, WORKDIR, USER, EXPOSE and COPY are; for everything else build a base image and name it as base_image.`,
  });

export const runStepNeedsEngine = (line: number, command: string) =>
  new AppError({
    code: "RunStepNeedsEngine",
    kind: "invalid",
    message: `Docker steps, line ${line}: RUN ${shown(command)} needs a container engine, and images are assembled without one. Name packages in the conda file, or build a base image with this step (docker build), push it to a registry, and name it as base_image.`,
  });
