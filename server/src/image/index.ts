export { type AppFolders, createAppFolders } from "./app-folder.ts";
export { type BuildImageDependencies, buildImageOperation, IMAGE_BUILD } from "./build-image.operation.ts";
export { type EnvironmentContentsTables, environmentContentsMigration } from "./environment-contents-tables.ts";
export type { Image, ImageAsset, ImageReader, ImageRequest, ImageState, ImageUsers } from "./image.ts";
export { describeImageBuild, type ImageRoutesDependencies, imageLinkRoutes, imageRoutes } from "./image-routes.ts";
export { createImageService, type ImageService, type ImageServiceDependencies } from "./image-service.ts";
export { createImageStore, type ImageStore } from "./image-store.ts";
export { type ImageTables, imageMigration } from "./image-tables.ts";
export { buildLogUrl, type ImageLinks, toWireImage } from "./image-wire.ts";
