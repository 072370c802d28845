export { engineFinder } from "../../platform/engine/find-engine.ts";
export type { ImageBlob, ImageBlobs } from "../../platform/engine/image-archive.ts";
export { ownLimits } from "../../platform/engine/own-limits.ts";
export { type ContainerTargetOptions, createContainerTarget } from "./container-target.ts";
export type { FindBlobs } from "./ensure-image.ts";
export { ownUser } from "./own-user.ts";
