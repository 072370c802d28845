export type { Model, ModelFile, ModelReader, ModelUsers } from "./model.ts";
export { modelRoutes } from "./model-routes.ts";
export { createModelService, type ModelService } from "./model-service.ts";
export { type ModelTables, modelMigration } from "./model-tables.ts";
export { toEmbeddedWireModel } from "./model-wire.ts";
export { unnamedAssets } from "./unnamed-assets.ts";
