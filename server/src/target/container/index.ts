export { type ContainerTargetOptions, createContainerTarget } from "./container-target.ts";
export type { FindBlobs } from "./ensure-image.ts";
export { engineFinder } from "./find-engine.ts";
export type { ImageBlob, ImageBlobs } from "./image-archive.ts";
export { ownLimits, ownUser } from "./own-process.ts";
