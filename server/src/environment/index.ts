export type { EnvironmentRequest, EnvironmentService, PreparedEnvironment } from "./environment.ts";
export { createEnvironmentService, defaultCacheFolder, type EnvironmentServiceOptions } from "./environment-service.ts";
export { importsAzureml } from "./imports-azureml.ts";
export { type LockedPackage, parseLock } from "./lock.ts";
