export { type BlobUploads, openBlobUploads } from "./blob-uploads.ts";
export { collectGarbageOperation, describeCollection, GARBAGE_COLLECTION } from "./collect-garbage.operation.ts";
export { collectionRoutes } from "./collection-routes.ts";
export { createCollectionSchedule } from "./collection-schedule.ts";
export { createGarbageStore } from "./garbage-store.ts";
export type { ImageConfig, Platform } from "./image-config.ts";
export { withFolders } from "./layer-entries.ts";
export { readTar, type TarEntry } from "./layer-tar.ts";
export type { Attachment } from "./manifest-service.ts";
export {
  type Descriptor,
  imageLocation,
  type Layer,
  type LayerFile,
  mediaTypes,
  type Repository,
  registryNamespace,
} from "./registry.ts";
export { registryAccountRoutes } from "./registry-account-routes.ts";
export { createRegistryAccounts, type RegistryAccounts } from "./registry-accounts.ts";
export type { RegistryDependencies } from "./registry-request.ts";
export { registryRoutes } from "./registry-routes.ts";
export { type Content, createRegistry, type Registry } from "./registry-service.ts";
export { type RegistryTables, registryMigration, registryPushMigration } from "./registry-tables.ts";
