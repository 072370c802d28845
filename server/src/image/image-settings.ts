import { imagePaths, STANDALONE_PORT } from "@slipway/api";
import type { ResolvedBase } from "./base/base-image.ts";
import { type Image, type ImagePlan, modelDirectory } from "./image.ts";
import { PROBE_COMMAND } from "./runtime/start-script.ts";
import { stepsOf } from "./steps/docker-steps.ts";
import { applyDockerSteps } from "./steps/docker-steps-config.ts";

/** How an image that stands on a base is run (OCI image specification, "Image configuration"). */
export interface ImageSettings {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly workingDirectory: string;
  readonly entrypoint: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** a property that the specification reserves for Docker; durations in nanoseconds */
  readonly healthcheck: {
    readonly Test: readonly string[];
    readonly Interval: number;
    readonly Timeout: number;
    readonly StartPeriod: number;
    readonly Retries: number;
  };
}

/** A number, since clusters cannot know that a name is not root's. */
const USER = "65532:65532";
const SECOND = 1_000_000_000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the image sets itself, over what its base says. */
export function ownVariables(image: Image, plan: ImagePlan, basePath: string): Record<string, string> {
  const { PATH: userPath, ...others } = imageVariables(image, plan, imagePaths.appRoot);
  return {
    LANG: "C.UTF-8",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    // A user that is only a number has none; this is the place that is writable, if any is.
    HOME: "/tmp",
    SLIPWAY_PORT: String(STANDALONE_PORT),
    ...others,
    PATH: `${imagePaths.environment}/bin:${userPath ?? basePath}`,
  };
}

export function imageSettings(image: Image, plan: ImagePlan, base: ResolvedBase): ImageSettings {
  const steps = stepsOf(plan);
  const { config } = steps === null ? base : applyDockerSteps(base.config, steps);
  return {
    env: { ...config.env, ...ownVariables(image, plan, config.env.PATH ?? PATH) },
    user: isRoot(config.user) ? USER : config.user,
    exposedPorts: [...new Set([...config.exposedPorts, `${STANDALONE_PORT}/tcp`])].sort(),
    workingDirectory: imagePaths.appRoot,
    entrypoint: [imagePaths.start],
    labels: { ...config.labels, ...imageAnnotations(image, base) },
    healthcheck: {
      Test: ["CMD", ...PROBE_COMMAND],
      Interval: 30 * SECOND,
      Timeout: 5 * SECOND,
      StartPeriod: 300 * SECOND,
      Retries: 3,
    },
  };
}

/** OCI image specification, "Pre-defined annotation keys". Of those that would differ from build to build none is set. */
export function imageAnnotations(image: Image, base: ResolvedBase | null): Record<string, string> {
  return {
    "org.opencontainers.image.title": image.name,
    ...(base !== null && {
      "org.opencontainers.image.base.name": base.reference,
      "org.opencontainers.image.base.digest": base.digest,
    }),
  };
}

/** What the driver finds set before it is imported; the user's own variables do not reach over ours. */
export function imageVariables(image: Image, plan: ImagePlan, appRoot: string): Record<string, string> {
  const models = modelDirectory(plan.models);
  return {
    ...image.environmentVariables,
    AML_APP_ROOT: appRoot,
    ...(models === undefined ? {} : { AZUREML_MODEL_DIR: `${appRoot}/${models}` }),
  };
}

const isRoot = (user: string) => /^(root|0+)?(:.*)?$/.test(user);
