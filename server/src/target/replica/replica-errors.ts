import { AppError } from "../../platform/errors.ts";

export function deploymentIdInvalid(id: string): AppError {
  return new AppError({
    code: "DeploymentIdInvalid",
    kind: "internal",
    message: `The deployment id ${JSON.stringify(id)} cannot name a folder: letters and digits only, at most 40.`,
  });
}

export function socketFolderUnsafe(folder: string, why: string): AppError {
  return new AppError({
    code: "SocketFolderUnsafe",
    kind: "unavailable",
    message: `The data folder's path is too long for Unix sockets, and ${folder} cannot be used instead: ${why}. Use a data folder with a shorter path, or remove ${folder}.`,
  });
}
