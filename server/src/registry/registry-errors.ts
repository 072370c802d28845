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

export const tagInvalid = (tag: string) =>
  make(
    "MANIFEST_INVALID",
    "invalid",
    `"${tag.slice(0, 130)}" is neither a tag nor a digest. A tag has 1 to 128 letters, digits, ".", "_" and "-".`,
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
    "User name and password of the workspace's registry are needed; `slipway registry credentials show` and `ws.list_keys()` show them.",
  );

export const nameInvalid = (repository: string) =>
  make(
    "NAME_INVALID",
    "invalid",
    `"${repository.slice(0, 256)}" is not the name of a repository. Expected WORKSPACE/NAME: lower case letters, digits, ".", "_" and "-", several names separated by "/".`,
  );

export const methodUnsupported = (method: string) =>
  make("UNSUPPORTED", "unsupported", `The registry has no ${method} here.`);

export const uploadUnknown = (id: string, repository: string) =>
  make(
    "BLOB_UPLOAD_UNKNOWN",
    "notFound",
    `${repository} has no upload "${id.slice(0, 64)}": it ended, was cancelled, or nobody went on with it for a day. Begin a new one.`,
  );

export const uploadBusy = (id: string) =>
  make("BLOB_UPLOAD_INVALID", "conflict", `Another request writes to the upload ${id}. Wait for its answer.`);

export const uploadRangeInvalid = (start: number, sizeBytes: number) =>
  make("RANGE_INVALID", "invalid", `The upload has ${sizeBytes} bytes; a chunk from ${start} on does not continue it.`);

export const contentRangeInvalid = (header: string) =>
  make("BLOB_UPLOAD_INVALID", "invalid", `Content-Range "${header.slice(0, 64)}" is not valid. Expected START-END.`);

export const uploadIncomplete = (announced: number, came: number) =>
  make(
    "SIZE_INVALID",
    "invalid",
    `${announced} bytes were announced, ${came} came. Ask where the upload stands and go on.`,
  );

export const uploadBroken = (cause: unknown) =>
  new AppError({
    code: "BLOB_UPLOAD_INVALID",
    kind: "canceled",
    message: "The connection ended before the bytes were all there. Ask where the upload stands and go on.",
    cause,
  });

export const quotaExceeded = (quotaBytes: number) =>
  make(
    "DENIED",
    "forbidden",
    `The workspace's registry is full: its quota is ${quotaBytes} bytes. Delete images and run \`slipway registry gc\`, or raise the quota with \`slipway up --registry-quota\`.`,
  );

export const blobInUse = (digest: string, repository: string) =>
  make("DENIED", "forbidden", `A manifest of ${repository} names ${digest}. Delete the manifest first.`);

/** @param owner in words: `image digits:3` */
export const ownedByImage = (owner: string) =>
  make(
    "DENIED",
    "forbidden",
    `This is ${owner}, which Slipway built and services may use. Push under another tag; delete it with \`slipway image delete\`.`,
  );

export const registryDiskFull = (cause: unknown) =>
  new AppError({
    code: "DENIED",
    kind: "tooLarge",
    message:
      "The disk of the registry is full. Free some space there (`slipway registry gc` removes what nothing uses); nothing that was stored before is lost.",
    cause,
  });

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

export const adminUserDisabled = (workspace: string) =>
  new AppError({
    code: "RegistryAdminUserDisabled",
    kind: "conflict",
    message: `The admin user of the registry of workspace ${workspace} is switched off, so it has no passwords. \`slipway registry credentials enable\` switches it on.`,
  });
