export type { ImageBlob, ImageBlobs } from "../../platform/engine/image-archive.ts";
export { type ContainerTargetOptions, createContainerTarget } from "./container-target.ts";
export type { FindBlobs } from "./ensure-image.ts";
export { ownUser } from "./own-user.ts";
