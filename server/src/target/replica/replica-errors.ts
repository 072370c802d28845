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

export function bundleIncomplete(imageId: string, what: string): AppError {
  return new AppError({
    code: "ImageIncomplete",
    kind: "conflict",
    message: `The image ${imageId} cannot run: ${what}. Create the image again.`,
  });
}

export function foreignArchitecture(imageId: string, architecture: string, own: string): AppError {
  return new AppError({
    code: "ForeignArchitecture",
    kind: "conflict",
    message: `The image ${imageId} is made for ${architecture} and cannot run on this machine, which is ${own}. Deploy it where ${architecture} runs, or build it again with --architecture ${own}.`,
  });
}
