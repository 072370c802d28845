import { AppError } from "../../platform/errors.ts";

/** @param lacks what a built image has and this one has not */
export const imageForeign = (reference: string, lacks: string) =>
  new AppError({
    code: "ImageForeign",
    kind: "invalid",
    message: `${reference} is no image that Slipway has built: ${lacks}. If it was one, it was copied by a tool that writes another manifest, as docker push does: copy it with \`slipway image push\`, skopeo or oras. Anything else can be a base: \`slipway image create NAME --model MODEL --script score.py --base-image ${reference}\` puts the scorer upon it.`,
  });

export const importedImageIncomplete = (reference: string, reason: string) =>
  new AppError({
    code: "ImportedImageIncomplete",
    kind: "invalid",
    message: `${reference} was built by Slipway, but cannot be deployed from the registry: ${reason}. Build it again there, push it, and import it again.`,
  });

export const importTooLarge = (reference: string, neededBytes: number, freeBytes: number) =>
  new AppError({
    code: "ImportTooLarge",
    kind: "limit",
    message: `${reference} was not imported: ${gigabytes(neededBytes)} are to be fetched, and ${gigabytes(freeBytes)} are free in the data folder. Make room (\`slipway registry gc\` deletes what nothing uses), or move the data folder.`,
  });

export const proofTooLarge = (digest: string, sizeBytes: number, limitBytes: number) =>
  new AppError({
    code: "ProofTooLarge",
    kind: "invalid",
    message: `The document ${digest} has ${sizeBytes} bytes; all that lie beside an image may have ${limitBytes} together. Remove it from the other registry if it is not needed.`,
  });

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
