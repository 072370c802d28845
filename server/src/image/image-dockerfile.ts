import { imagePaths, STANDALONE_PORT } from "@slipway/api";
import { type BuiltImage, type Image, type ImagePlan, modelFolder } from "./image.ts";
import { imageVariables, ownVariables } from "./image-settings.ts";
import { PROBE_COMMAND } from "./runtime/start-script.ts";

/** The layers as the Dockerfile that would make them; for people, nothing is built from it. */
export function dockerfileOf(image: Image, { plan, base }: BuiltImage): string {
  const python = plan.runtime === "python";
  const copies = [
    ...(base === null ? [] : [`COPY runtime/ ${imagePaths.runtime}/`]),
    ...(python ? [`COPY environment/ ${imagePaths.environment}/`] : []),
    ...plan.models.map((model) => {
      const folder = `${imagePaths.appRoot}/${modelFolder(model)}/`;
      return `COPY models/${model.name}/${model.version}/ ${folder}`;
    }),
    ...(python ? [`COPY code/ ${imagePaths.appRoot}/`] : []),
    ...(base === null ? [] : ["COPY configuration/ /"]),
  ];
  const variables =
    base === null ? imageVariables(image, plan, imagePaths.appRoot) : ownVariables(image, plan, BASE_PATH);
  const lines = [
    `# ${image.id}: what its layers hold, written as a Dockerfile.`,
    ...(base === null
      ? ["# It stands on no base, so it has no operating system and no scorer: the target brings them.", "FROM scratch"]
      : [`FROM ${base.reference}@${base.digest}`.replace(/@sha256:.*@/, "@")]),
    ...dockerSteps(plan),
    ...copies,
    ...Object.entries(variables).map(([name, value]) => `ENV ${name}=${quoted(value)}`),
    `WORKDIR ${imagePaths.appRoot}`,
    ...(base === null
      ? []
      : [
          `USER ${base.user}`,
          `EXPOSE ${STANDALONE_PORT}/tcp`,
          `HEALTHCHECK CMD ${JSON.stringify(PROBE_COMMAND)}`,
          `ENTRYPOINT ${JSON.stringify([imagePaths.start])}`,
        ]),
    ...(plan.driver === null ? [] : [`# The scorer loads ${plan.driver}.`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** As they were given, but for the line that names the base. */
function dockerSteps({ dockerSteps }: ImagePlan): string[] {
  const lines = (dockerSteps ?? "").split(/\r?\n/).filter((line) => line.trim() !== "" && !/^\s*FROM\s/i.test(line));
  return lines.length === 0 ? [] : ["# Docker steps of the image:", ...lines, "# End of these steps."];
}

/** Stands for what the base says. */
const BASE_PATH = "\u0000";

const quoted = (value: string) => JSON.stringify(value).replaceAll("$", "\\$").replace("\\u0000", "$PATH");
