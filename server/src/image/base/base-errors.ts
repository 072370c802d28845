import { AppError } from "../../platform/errors.ts";

const shown = (text: string) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);

export const baseNotFound = (looked: readonly string[], why: string) =>
  new AppError({
    code: "BaseNotFound",
    kind: "notFound",
    message: `No base image was found (looked for ${looked.join(", ")}): ${why} Run \`npm run base-image\` to make one from Debian packages, or name one with --base-image.`,
  });

export function baseWithoutPython(reference: string, minor: string, found: readonly string[]): AppError {
  const has = found.length === 0 ? "none" : found.join(", ");
  return new AppError({
    code: "BaseWithoutPython",
    kind: "invalid",
    message: `The base image ${shown(reference)} has no Python ${minor} in usr/bin, usr/local/bin or opt/*/bin; found there: ${has}. Choose a base with Python ${minor}, or ask for another Python in the conda file.`,
  });
}
