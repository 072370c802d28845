import { imageNames } from "@slipway/api";
import { AppError } from "../platform/errors.ts";
import type { ImageError, ImageState } from "./image.ts";

/** Hostile text, safe to print. */
const shown = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);

const invalid = (code: string, message: string) => new AppError({ code, kind: "invalid", message });

export const imageNotFound = (id: string) =>
  new AppError({
    code: "ImageNotFound",
    kind: "notFound",
    message: `There is no image ${shown(id)} in this workspace. \`slipway image list\` shows all.`,
  });

export const imageNameInvalid = (name: string) =>
  invalid("ImageNameInvalid", `name: ${shown(name)} cannot be the name of an image. It has ${imageNames.words}.`);

export const imageInUse = (id: string, users: readonly string[]) =>
  new AppError({
    code: "ImageInUse",
    kind: "inUse",
    message: `The image ${id} is used by ${users.join(", ")}. Delete or update ${users.length === 1 ? "it" : "them"} first.`,
  });

/** Somebody wants to look into an image that has no content (yet). */
export function imageNotBuilt(id: string, state: ImageState): AppError {
  const next = state === "NotStarted" || state === "Running" ? "Wait for its build to end." : "Its build log says why.";
  return new AppError({
    code: "ImageNotBuilt",
    kind: "conflict",
    message: `The image ${id} is not built: its state is ${state}. ${next}`,
  });
}

export const codeFileNotFound = (id: string, path: string) =>
  new AppError({
    code: "CodeFileNotFound",
    kind: "notFound",
    message: `path: ${shown(path)} is not among the files of the image ${id}. \`slipway image show ${id} --output json\` names all.`,
  });

export const proofNotFound = (id: string, type: string) =>
  new AppError({
    code: "ProofNotFound",
    kind: "notFound",
    message: `There is no ${type} beside the image ${shown(id)}. \`slipway image show ${id}\` names what is; images that were built by an older Slipway have none until \`slipway image rebuild\`.`,
  });

export const imageDamaged = (id: string, digest: string) =>
  new AppError({
    code: "ImageDamaged",
    kind: "conflict",
    message: `The image ${id} lacks its part ${digest}. Build it again: \`slipway image rebuild ${id}\`.`,
  });

/** A service asked for an image that cannot run (yet). */
export function imageNotReady(id: string, state: ImageState, error: ImageError | null): AppError {
  const why =
    error === null
      ? `Its state is ${state}; wait for its build to end.`
      : `Its build ended as ${state}: ${error.message}`;
  return new AppError({
    code: "ImageNotReady",
    kind: "conflict",
    message: `The image ${id} cannot be deployed. ${why}`,
    details: error === null ? [] : [{ code: error.code, message: error.message }, ...error.details],
  });
}

/** Somebody wants to make an image again whose inputs are elsewhere. */
export const imageImported = (id: string, place: string) =>
  new AppError({
    code: "ImageImported",
    kind: "conflict",
    message: `The image ${id} was imported from ${place}: what it was built from is not here. Rebuild it where it was built, push it, and import it again.`,
  });

export const imagePatchInvalid = (path: string) =>
  invalid(
    "ImagePatchInvalid",
    `${shown(path)} of an image cannot be changed this way. "replace" and "add" work on /kvTags, /properties (objects of texts) and /description.`,
  );

export const driverMissing = (driver: string | null, assets: readonly string[]) =>
  invalid(
    "DriverMissing",
    driver === null
      ? "driverProgram: the image has files but no driver. Name the Python file with init() and run() as driverProgram."
      : `driverProgram: ${shown(driver)} is not among the assets (${assets.map(shown).join(", ") || "there are none"}) nor in an archive. Upload the Python file and name it as driverProgram.`,
  );

export const scriptNeeded = (model: string, framework: string) =>
  invalid(
    "ScriptNeeded",
    `Model ${model} (framework ${framework}) cannot run without a score.py: only ONNX models can. Give a Python file with init() and run(), or register the model as ONNX with exactly one .onnx file.`,
  );

export const nothingToRun = () =>
  invalid("NothingToRun", "driverProgram, modelIds: the image has neither a score.py nor a model. Give at least one.");

export const modelEmpty = (id: string) =>
  invalid(
    "ModelEmpty",
    `modelIds: model ${id} has no content: its files have 0 bytes. Register it again from the real file.`,
  );

export const variableInvalid = (name: string) =>
  invalid(
    "VariableInvalid",
    `environmentVariables: ${shown(name)} cannot be set. Names are letters, digits and "_"; values have no NUL.`,
  );

export const assetInvalid = (id: string, reason: string) => invalid("AssetInvalid", `assets: ${shown(id)} ${reason}.`);

export const archiveInvalid = (archive: string, reason: string) =>
  invalid("ArchiveInvalid", `The archive ${shown(archive)} ${reason}. Nothing of it was used.`);

export const archiveMemberRefused = (archive: string, member: string, reason: string) =>
  invalid(
    "ArchiveMemberRefused",
    `The archive ${shown(archive)} has the member ${shown(member)}, which ${reason}. Nothing of it was used.`,
  );

export const archiveTooLarge = (archive: string, limit: string) =>
  invalid(
    "ArchiveTooLarge",
    `The archive ${shown(archive)} was not unpacked: ${limit}. Put data into a model and keep it out of the code.`,
  );

export const archiveMemberConflict = (member: string) =>
  invalid(
    "ArchiveMemberConflict",
    `${shown(member)} is a file in one place of the uploaded code and a folder in another. Rename one of them.`,
  );

export const nodeNotAvailable = (name: string, version: string, reason: string) =>
  new AppError({
    code: "NodeNotAvailable",
    kind: "unavailable",
    message: `The program that runs in images, ${name} ${version}, could not be fetched: ${reason}. Check the registry and proxy in npm's settings (npm config list), or install the package ${name} beside Slipway.`,
  });

export const imageNotWhole = (imageId: string, digest: string) =>
  new AppError({
    code: "ImageNotWhole",
    kind: "conflict",
    message: `The image ${imageId} is not whole in the registry any more: ${digest} is missing. Create the image again, or import it again if it came from another registry.`,
  });

export const onnxRuntimeNotInstalled = () =>
  new AppError({
    code: "OnnxRuntimeNotInstalled",
    kind: "unavailable",
    message:
      "ONNX Runtime is not installed here, so it cannot be put into the image. Install it with ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node.",
  });
