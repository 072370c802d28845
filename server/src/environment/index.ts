export type { CondaSettings } from "./conda/conda-channels.ts";
export type { EnvironmentRequest, EnvironmentService, PreparedEnvironment } from "./environment.ts";
export { createEnvironmentService, defaultCacheFolder, type EnvironmentServiceOptions } from "./environment-service.ts";
export {
  createImportedEnvironments,
  type ImportedEnvironment,
  type ImportedEnvironments,
} from "./imported-environments.ts";
export { importsAzureml } from "./imports-azureml.ts";
export { type LockedPackage, parseLock, wholeLock } from "./lock.ts";
