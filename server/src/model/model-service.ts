import { modelNames } from "@slipway/api";
import type { Kysely } from "kysely";
import { type ArtifactReader, parseArtifactId } from "../artifact/index.ts";
import type { Clock } from "../platform/clock.ts";
import { AppError } from "../platform/errors.ts";
import { createAssetStore } from "./asset-store.ts";
import {
  ASSET_URI,
  type Asset,
  type AssetPart,
  type Model,
  type ModelEdit,
  type ModelFile,
  type ModelReader,
  type ModelUsers,
  type NewModel,
} from "./model.ts";
import {
  assetNotFound,
  modelFilesMissing,
  modelInUse,
  modelNameInvalid,
  modelNotFound,
  modelUrlInvalid,
} from "./model-errors.ts";
import { modelFiles, refuseEmptyFiles } from "./model-files.ts";
import type { ModelQuery } from "./model-query.ts";
import { createModelStore, type ModelPage } from "./model-store.ts";
import type { ModelTables } from "./model-tables.ts";

/** `requestKey` names one create request: repeated with the same key, it gives what the first one made. */
export interface ModelService extends ModelReader {
  /** @throws {AppError} ArtifactIdInvalid, ArtifactPathInvalid */
  createAsset(
    workspaceId: string,
    name: string,
    parts: readonly AssetPart[],
    requestKey: string | null,
  ): Promise<Asset>;
  /** @throws {AppError} AssetNotFound */
  getAsset(workspaceId: string, id: string): Promise<Asset>;
  /** @throws {AppError} ModelNameInvalid, ModelUrlInvalid, ModelFilesMissing, ModelFileEmpty, ModelFilesConflict */
  register(workspaceId: string, model: NewModel, requestKey: string | null): Promise<Model>;
  list(workspaceId: string, query: ModelQuery): Promise<ModelPage>;
  /** `edit` gets the newest state and must be pure. @throws {AppError} ModelNotFound, and what `edit` throws */
  change(workspaceId: string, id: string, edit: (model: Model) => ModelEdit): Promise<Model>;
  /** The files stay: other models may share them. @returns whether there was such a model @throws {AppError} ModelInUse */
  delete(workspaceId: string, id: string): Promise<boolean>;
}

export interface ModelDependencies<Tables extends ModelTables> {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly artifacts: ArtifactReader;
  readonly usersOf: ModelUsers;
}

export function createModelService<Tables extends ModelTables>(deps: ModelDependencies<Tables>): ModelService {
  const models = createModelStore(deps.database, deps.clock);
  const assets = createAssetStore(deps.database, deps.clock);

  async function get(workspaceId: string, id: string): Promise<Model> {
    const model = await models.find(workspaceId, id);
    if (model === undefined) throw modelNotFound(id);
    return model;
  }

  async function getAsset(workspaceId: string, id: string): Promise<Asset> {
    const asset = await assets.find(workspaceId, id);
    if (asset === undefined) throw assetNotFound(id);
    return asset;
  }

  async function filesAt(workspaceId: string, url: string): Promise<ModelFile[]> {
    if (!url.startsWith(ASSET_URI)) throw modelUrlInvalid(url);
    return modelFiles(deps.artifacts, await getAsset(workspaceId, url.slice(ASSET_URI.length)));
  }

  /** Only whole uploads become models. A missing part is a mistake of this request, not an address that was not found. */
  async function checkFiles(workspaceId: string, { name, url }: NewModel): Promise<void> {
    try {
      refuseEmptyFiles(await filesAt(workspaceId, url));
    } catch (error) {
      throw error instanceof AppError && error.kind === "notFound" ? modelFilesMissing(name, error) : error;
    }
  }

  return {
    get,
    getAsset,
    files: (model) => filesAt(model.workspaceId, model.url),
    list: (workspaceId, query) => models.list(workspaceId, query),

    async createAsset(workspaceId, name, parts, requestKey) {
      for (const part of parts) parseArtifactId("prefix" in part ? part.prefix : part.id);
      return assets.insert(workspaceId, name, parts, requestKey);
    },

    async register(workspaceId, model, requestKey) {
      if (!modelNames.matches(model.name)) throw modelNameInvalid(model.name);
      await checkFiles(workspaceId, model);
      return models.insert(workspaceId, model, requestKey);
    },

    async change(workspaceId, id, edit) {
      const model = await models.update(workspaceId, id, edit);
      if (model === undefined) throw modelNotFound(id);
      return model;
    },

    async delete(workspaceId, id) {
      const users = await deps.usersOf(workspaceId, id);
      if (users.length > 0) throw modelInUse(id, users);
      return models.delete(workspaceId, id);
    },
  };
}
