import { modelNames } from "@slipway/api";
import { AppError } from "../platform/errors.ts";

const SHOWN_NAMES = 5;

export const modelNotFound = (id: string) =>
  new AppError({
    code: "ModelNotFound",
    kind: "notFound",
    message: `There is no model ${shown(id)} in this workspace. A model's id is NAME:VERSION; list the models to see which there are.`,
  });

export const modelNameInvalid = (name: string) =>
  new AppError({
    code: "ModelNameInvalid",
    kind: "invalid",
    message: `The model name ${shown(name)} is not allowed: it has ${modelNames.words}.`,
  });

export const modelFieldInvalid = (field: string, expected: string) =>
  new AppError({
    code: "ModelFieldInvalid",
    kind: "invalid",
    message: `The field ${shown(field)} of the model is not valid. Expected ${expected}.`,
  });

export const modelUrlInvalid = (url: string) =>
  new AppError({
    code: "ModelUrlInvalid",
    kind: "invalid",
    message: `The field "url" of the model is ${shown(url)}. Expected aml://asset/ and the id of an asset of this workspace.`,
  });

export const modelFilesMissing = (name: string, cause: AppError) =>
  new AppError({
    code: "ModelFilesMissing",
    kind: "invalid",
    message: `The model ${shown(name)} cannot be registered: ${cause.message}`,
    cause,
  });

export const modelFileEmpty = (paths: readonly string[]) =>
  new AppError({
    code: "ModelFileEmpty",
    kind: "invalid",
    message: `${paths.length === 1 ? "A file of the model has" : `${paths.length} files of the model have`} 0 bytes: ${listed(paths)}. Saving or copying it failed; write the model again, then register it.`,
  });

export const modelFilesConflict = (path: string) =>
  new AppError({
    code: "ModelFilesConflict",
    kind: "invalid",
    message: `Two files of the model would lie at ${shown(path)}, or one is a file where the other needs a folder. Upload them under different names.`,
  });

/** `DeletionRequired` is what the genuine client looks for (wire contract, section 12). */
export const modelInUse = (id: string, users: readonly string[]) =>
  new AppError({
    code: "ModelInUse",
    kind: "inUse",
    message: `DeletionRequired: the model ${id} is used by ${users.join(", ")}. Delete that first.`,
    details: [
      { code: "DeletionRequired", message: `The model ${id} is used by ${users.join(", ")}. Delete that first.` },
    ],
  });

export const modelPatchInvalid = (index: number, op: string, path: string, reason: string) =>
  new AppError({
    code: "ModelPatchInvalid",
    kind: "invalid",
    message: `Operation ${index} of the patch (${shown(op)} on ${shown(path)}) cannot be done: ${reason}. Nothing was changed.`,
  });

export const assetNotFound = (id: string) =>
  new AppError({
    code: "AssetNotFound",
    kind: "notFound",
    message: `There is no asset ${shown(id)} in this workspace. Upload the files and create the asset first.`,
  });

export const assetInvalid = (reason: string) =>
  new AppError({ code: "AssetInvalid", kind: "invalid", message: `The asset is not valid: ${reason}.` });

export const skipTokenInvalid = () =>
  new AppError({
    code: "SkipTokenInvalid",
    kind: "invalid",
    message: "The $skipToken is not one that this server gave out for this order. Begin again without it.",
  });

function listed(names: readonly string[]): string {
  const first = names.slice(0, SHOWN_NAMES).map(shown).join(", ");
  return names.length > SHOWN_NAMES ? `${first} and ${names.length - SHOWN_NAMES} more` : first;
}

/** Hostile text, safe to print: quoted, control characters escaped, not longer than a line. */
function shown(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
