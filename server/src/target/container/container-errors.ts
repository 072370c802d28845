import { AppError } from "../../platform/errors.ts";

export function imageWithoutBase(imageId: string): AppError {
  return new AppError({
    code: "ImageWithoutBase",
    kind: "conflict",
    message: `The image ${imageId} was built without a base image, so no container engine can run it. Give this installation a base image (--base-image, or make one with scripts/make-base-image) and create the image again, or run services as processes (--container-instances process).`,
  });
}
