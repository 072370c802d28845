import { AppError } from "../platform/errors.ts";

export const condaFileInvalid = (problem: string, cause?: unknown) =>
  new AppError({
    code: "CondaFileInvalid",
    kind: "invalid",
    message: `The conda file cannot be used: ${problem} Correct the conda file and create the image again.`,
    cause,
  });

export const requirementInvalid = (line: string, problem: string) =>
  new AppError({
    code: "RequirementInvalid",
    kind: "invalid",
    message: `The requirement "${shortened(line)}" cannot be used: ${problem}`,
  });

export const environmentUnsolvable = (explanation: string, context: string) =>
  new AppError({
    code: "EnvironmentUnsolvable",
    kind: "invalid",
    message: `The packages of the environment do not fit together${context}: ${explanation} Change or remove one of the named requirements.`,
  });

export const environmentIndexUnreachable = (cause: string, settings: string) =>
  new AppError({
    code: "EnvironmentIndexUnreachable",
    kind: "unavailable",
    message: `The package index could not be reached: ${cause} ${settings} Check the network, or set PIP_INDEX_URL or UV_DEFAULT_INDEX (and HTTPS_PROXY) before starting Slipway.`,
  });

export const pythonNotAvailable = (asked: string, found: readonly string[]) =>
  new AppError({
    code: "PythonNotAvailable",
    kind: "invalid",
    message: `Python ${asked} is not installed on this machine (${found.length === 0 ? "no Python 3.6 or newer was found" : `found: ${found.join(", ")}`}). Install it and put it on the PATH of the server${found.length === 0 ? "." : ", ask for an installed version, or drop strictPython to take the nearest one."}`,
  });

export const condaPythonNotAvailable = (asked: string, cause: AppError) =>
  new AppError({
    code: "PythonNotAvailable",
    kind: "invalid",
    message: `Python ${asked} is neither installed on this machine nor in the conda channels. ${cause.message}`,
    cause,
  });

export const packageBuildFailed = (name: string, python: string, reason: string) =>
  new AppError({
    code: "PackageBuildFailed",
    kind: "invalid",
    message: `There is no ready-made wheel of ${name} for Python ${python}, and building it from source failed: ${reason} Ask for a version that has one, or for a Python version that it was made for.`,
  });

export const wheelMissing = (name: string, python: string, architecture: string) =>
  new AppError({
    code: "WheelMissing",
    kind: "invalid",
    message: `There is no ready-made wheel of ${name} for Python ${python} on ${architecture}, and nothing can be built here for another architecture than this machine's. Ask for a version that has one, or build the image on an ${architecture} machine.`,
  });

export const installFailed = (explanation: string) =>
  new AppError({
    code: "EnvironmentInstallFailed",
    kind: "internal",
    message: `The packages of the environment could not be installed: ${explanation} Create the image again; if it fails again, see the server's log.`,
  });

export const condaChannelUnreachable = (cause: string) =>
  new AppError({
    code: "CondaChannelUnreachable",
    kind: "unavailable",
    message: `A conda channel does not answer: ${cause} Check the network (HTTPS_PROXY), or name a mirror with --conda-channel-alias or --conda-channel-mirror, and create the image again.`,
  });

export const condaChannelInvalid = (problem: string) =>
  new AppError({
    code: "CondaChannelInvalid",
    kind: "invalid",
    message: `A conda channel cannot be used: ${problem} Correct the channels of the conda file, or the server's settings for them.`,
  });

export const condaPackageInvalid = (problem: string) =>
  new AppError({
    code: "CondaPackageInvalid",
    kind: "invalid",
    message: `A conda package cannot be installed: ${problem} Ask for another version or build of it, or take it from another channel.`,
  });

export const uvNotAvailable = (reason: string) =>
  new AppError({
    code: "PackageInstallerNotAvailable",
    kind: "unavailable",
    message: `The package installer uv is not on the PATH and could not be installed with pip: ${reason} Install uv, or pip for a Python on the PATH of the server.`,
  });

/** Lines of users can be of any length; a message is read by a person. */
function shortened(line: string): string {
  return line.length <= 120 ? line : `${line.slice(0, 117)}...`;
}
