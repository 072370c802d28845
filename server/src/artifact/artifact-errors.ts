import { AppError } from "../platform/errors.ts";

/** At most so many names in one message. */
const SHOWN_NAMES = 5;

export const artifactPathInvalid = (path: string, reason: string) =>
  new AppError({
    code: "ArtifactPathInvalid",
    kind: "invalid",
    message: `The artifact path ${shown(path)} ${reason}. Rename the file, then upload it again.`,
  });

export const artifactIdInvalid = (id: string) =>
  new AppError({
    code: "ArtifactIdInvalid",
    kind: "invalid",
    message: `${shown(id)} is not an artifact id. Expected ORIGIN/CONTAINER/PATH, or the same behind aml://artifact/.`,
  });

export const artifactNotFound = (id: string) =>
  new AppError({
    code: "ArtifactNotFound",
    kind: "notFound",
    message: `There is no artifact ${shown(id)} in this workspace. Upload it first.`,
  });

export const artifactNotUploaded = (ids: readonly string[]) =>
  new AppError({
    code: "ArtifactNotUploaded",
    kind: "invalid",
    message: `${ids.length === 1 ? "An artifact was" : `${ids.length} artifacts were`} reserved but never uploaded: ${listed(ids)}. Upload what is missing, then try again.`,
  });

export const artifactTooLarge = (id: string, sizeBytes: number, maxBytes: number) =>
  new AppError({
    code: "ArtifactTooLarge",
    kind: "invalid",
    message: `The artifact ${shown(id)} has ${sizeBytes} bytes; at most ${maxBytes} are read as text.`,
  });

export const artifactNotText = (id: string) =>
  new AppError({
    code: "ArtifactNotText",
    kind: "invalid",
    message: `The artifact ${shown(id)} is not UTF-8 text. Save the file as UTF-8, then upload it again.`,
  });

export const continuationTokenInvalid = () =>
  new AppError({
    code: "ContinuationTokenInvalid",
    kind: "invalid",
    message: "The continuationToken is not one that this server gave out. Begin again without it.",
  });

function listed(ids: readonly string[]): string {
  const first = ids.slice(0, SHOWN_NAMES).map(shown).join(", ");
  return ids.length > SHOWN_NAMES ? `${first} and ${ids.length - SHOWN_NAMES} more` : first;
}

/** Hostile text, safe to print: quoted, control characters escaped, not longer than a line. */
function shown(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
