import { AppError, type ErrorKind } from "../platform/errors.ts";

/** Codes of the OCI distribution specification, "Error codes"; registry clients decide by them. */
export type RegistryErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "RANGE_INVALID"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "UNSUPPORTED";

const make = (code: RegistryErrorCode, kind: ErrorKind, message: string) => new AppError({ code, kind, message });

export const blobUnknown = (digest: string, repository: string) =>
  make("BLOB_UNKNOWN", "notFound", `No image of ${repository} has a part ${digest}.`);

export const digestInvalid = (digest: string) =>
  make("DIGEST_INVALID", "invalid", `"${digest.slice(0, 100)}" is not a digest. Expected sha256: and 64 hex digits.`);

export const digestMismatch = (expected: string, actual: string) =>
  make(
    "DIGEST_INVALID",
    "invalid",
    `The bytes have the digest ${actual}, but ${expected} was announced. They changed on the way: push again.`,
  );

export const manifestInvalid = (reason: string) =>
  make("MANIFEST_INVALID", "invalid", `The manifest cannot be taken: ${reason}.`);

export const manifestTooLarge = (sizeBytes: number, maxBytes: number) =>
  make(
    "MANIFEST_INVALID",
    "tooLarge",
    `The manifest has ${sizeBytes} bytes or more; ${maxBytes} are allowed. Large documents belong into layers.`,
  );

export const manifestBlobUnknown = (digest: string, repository: string) =>
  make(
    "MANIFEST_BLOB_UNKNOWN",
    "notFound",
    `The manifest names ${digest}, which is not in ${repository}. Push all parts first, or mount them from another repository.`,
  );

export const manifestSizeInvalid = (digest: string, written: number, actual: number) =>
  make(
    "MANIFEST_INVALID",
    "invalid",
    `The manifest says that ${digest} has ${written} bytes; it has ${actual}. Correct the manifest.`,
  );

export const manifestUnknown = (reference: string, repository: string) =>
  make(
    "MANIFEST_UNKNOWN",
    "notFound",
    `${repository} has no image "${reference.slice(0, 128)}". \`slipway image list\` shows the names and versions; an image can be pulled once its build has succeeded.`,
  );

export const nameUnknown = (repository: string) =>
  make("NAME_UNKNOWN", "notFound", `There is no repository ${repository.slice(0, 256)}.`);

export const registryUnauthorized = () =>
  make(
    "UNAUTHORIZED",
    "unauthenticated",
    "User name and password of the workspace's registry are needed; `slipway registry login` and `ws.list_keys()` show them.",
  );

export const pushUnsupported = () =>
  make("UNSUPPORTED", "unsupported", "This registry is read-only: images come into it by `slipway image create`.");

export const rangeInvalid = (sizeBytes: number) =>
  make("RANGE_INVALID", "invalid", `The range lies outside of the ${sizeBytes} bytes.`);

/** A layer that is made from files on every read could not be made: files are gone or changed. */
export const layerDamaged = (name: string, cause: unknown) =>
  new AppError({
    code: "LayerDamaged",
    kind: "internal",
    message: `The file ${name} of a layer is gone or changed since the image was built. Build the image anew.`,
    cause,
  });
