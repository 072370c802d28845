import { CliError } from "../cli-error.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of its path is a file",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  EISDIR: "it is a folder",
};

/** Why a file cannot be read, in words instead of the system's. */
export function fileNotReadable(file: string, error: unknown): CliError {
  return new CliError("FileNotReadable", "usage", `${file} cannot be read: ${reasonOf(error)}.`, error);
}

export function reasonOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}
