import { AppError } from "../platform/errors.ts";

// The codes are those of the blob protocol where it has one: clients decide by them.

export const uploadAddressRefused = () =>
  new AppError({
    code: "AuthenticationFailed",
    kind: "forbidden",
    message: "The signature of this address is missing or wrong. Ask the artifact store for a new address.",
  });

export const uploadAddressExpired = (expiredAt: string) =>
  new AppError({
    code: "AuthenticationFailed",
    kind: "forbidden",
    message: `This address expired at ${expiredAt}. Ask the artifact store for a new one.`,
  });

export const blobNotUploaded = () =>
  new AppError({
    code: "BlobNotFound",
    kind: "notFound",
    message: "Nothing was uploaded to this address yet.",
  });

export const blobAlreadyExists = () =>
  new AppError({
    code: "BlobAlreadyExists",
    kind: "conflict",
    message: "This artifact was uploaded already, and artifacts never change. Reserve a new one for other bytes.",
  });

export const uploadBusy = () =>
  new AppError({
    code: "UploadBusy",
    kind: "conflict",
    message:
      "The blocks of this upload are being put together right now. Wait for that answer; send nothing meanwhile.",
  });

export const sha256Mismatch = (actual: string) =>
  new AppError({
    code: "Sha256Mismatch",
    kind: "invalid",
    message: `The bytes have the SHA-256 ${actual}, not the announced one. They changed on the way: upload them again.`,
  });

export const md5Mismatch = () =>
  new AppError({
    code: "Md5Mismatch",
    kind: "invalid",
    message: "The bytes do not have the announced MD5. They changed on the way: upload them again.",
  });

export const uploadHeaderInvalid = (header: string, expected: string) =>
  new AppError({
    code: "InvalidHeaderValue",
    kind: "invalid",
    message: `The header ${header} is not valid. Expected ${expected}.`,
  });

export const uploadQueryInvalid = (parameter: string, expected: string) =>
  new AppError({
    code: "InvalidQueryParameterValue",
    kind: "invalid",
    message: `The query parameter ${parameter} is not valid. Expected ${expected}.`,
  });

export const blockListInvalid = (reason: string) =>
  new AppError({ code: "InvalidBlockList", kind: "invalid", message: `The block list cannot be used: ${reason}.` });

export const blockListTooLarge = (maxBytes: number) =>
  new AppError({
    code: "RequestBodyTooLarge",
    kind: "tooLarge",
    message: `The block list has more than ${maxBytes} bytes. Use larger blocks.`,
  });

export const uploadBroken = (cause: unknown) =>
  new AppError({
    code: "UploadBroken",
    kind: "canceled",
    message: "The connection ended before the upload was whole; nothing of it was stored. Send it again.",
    cause,
  });
