import { createHash } from "node:crypto";
import { CreateAsset, ListModels, ModelPatch, RegisterModel, WireAsset, WireModel, WireModelPage } from "@slipway/api";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { HttpApp } from "../platform/http/app.ts";
import { workspaceOf } from "../workspace/index.ts";
import type { Asset, AssetPart, NewModel } from "./model.ts";
import { assetInvalid } from "./model-errors.ts";
import { toDatasets, toLabels, toResources, toSample, toText } from "./model-fields.ts";
import { applyModelPatch } from "./model-patch-wire.ts";
import { formatSkipToken, type ModelOrder, type ModelQuery, parseLabelFilters, parseSkipToken } from "./model-query.ts";
import type { ModelService } from "./model-service.ts";
import { toWireModel } from "./model-wire.ts";

const DEFAULT_PAGE = 255;
const LARGEST_PAGE = 1_000;
const IdParams = Type.Object({ id: Type.String() });

export interface ModelRouteDependencies {
  readonly models: ModelService;
  publicUrl(): string;
}

/** Assets and models (wire contract, section 6); `app` is a workspace scope under `/modelmanagement/v1.0`. */
export function modelRoutes(app: HttpApp, deps: ModelRouteDependencies): void {
  const { models } = deps;

  app.post("/assets", { schema: { body: CreateAsset, response: { 200: WireAsset } } }, async (request) => {
    const { name, artifacts } = request.body;
    const parts = artifacts.map(toPart);
    return toWireAsset(await models.createAsset(workspaceOf(request).id, name, parts, requestKey(request)));
  });
  app.get("/assets/:id", { schema: { params: IdParams, response: { 200: WireAsset } } }, async (request) =>
    toWireAsset(await models.getAsset(workspaceOf(request).id, request.params.id)),
  );

  // 200, not 201: the genuine client takes nothing else (wire contract, section 17).
  app.post("/models", { schema: { body: RegisterModel, response: { 200: WireModel } } }, async (request) =>
    toWireModel(await models.register(workspaceOf(request).id, toNewModel(request.body), requestKey(request))),
  );
  app.get("/models", { schema: { querystring: ListModels, response: { 200: WireModelPage } } }, async (request) => {
    const query = toQuery(request.query);
    const page = await models.list(workspaceOf(request).id, query);
    const token = page.next === undefined ? null : formatSkipToken(query.order, page.next);
    return {
      value: page.models.map(toWireModel),
      nextLink: token === null ? null : nextLink(deps.publicUrl(), request, token),
      continuationToken: token,
    };
  });
  app.get("/models/:id", { schema: { params: IdParams, response: { 200: WireModel } } }, async (request) =>
    toWireModel(await models.get(workspaceOf(request).id, request.params.id)),
  );
  app.patch(
    "/models/:id",
    { schema: { params: IdParams, body: ModelPatch, response: { 200: WireModel } } },
    async (request) => {
      const { id } = request.params;
      return toWireModel(
        await models.change(workspaceOf(request).id, id, (model) => applyModelPatch(model, request.body)),
      );
    },
  );
  // A model that is not there is deleted already: the client may repeat a call whose answer was lost.
  app.delete("/models/:id", { schema: { params: IdParams } }, async (request, reply) => {
    const existed = await models.delete(workspaceOf(request).id, request.params.id);
    return reply.code(existed ? 200 : 204).send();
  });
}

/**
 * One create request, for repeating it safely (wire contract, section 12): the client's id of it, together with what it asks
 * for, so that an id used twice never gives somebody the wrong answer.
 */
function requestKey(request: FastifyRequest): string | null {
  const id = request.headers["x-ms-client-request-id"];
  if (typeof id !== "string" || id === "") return null;
  return createHash("sha256")
    .update(JSON.stringify([id, request.body]))
    .digest("hex");
}

function toPart({ prefix, id }: CreateAsset["artifacts"][number], index: number): AssetPart {
  if (typeof id === "string") return { id };
  if (typeof prefix === "string") return { prefix };
  throw assetInvalid(`artifacts[${index}] has neither "prefix" nor "id"`);
}

function toWireAsset(asset: Asset): WireAsset {
  return { id: asset.id, name: asset.name, artifacts: [...asset.artifacts], createdTime: asset.createdAt };
}

function toNewModel(body: RegisterModel): NewModel {
  return {
    name: body.name,
    url: body.url,
    mimeType: body.mimeType ?? "application/json",
    unpack: body.unpack ?? false,
    framework: toText("framework", body.framework) ?? "Custom",
    frameworkVersion: toText("frameworkVersion", body.frameworkVersion),
    description: toText("description", body.description),
    tags: toLabels("kvTags", body.kvTags),
    properties: toLabels("properties", body.properties),
    datasets: toDatasets(body.datasets),
    experimentName: toText("experimentName", body.experimentName),
    runId: toText("runId", body.runId),
    parentModelId: toText("parentModelId", body.parentModelId),
    sampleInputData: toSample("sampleInputData", body.sampleInputData),
    sampleOutputData: toSample("sampleOutputData", body.sampleOutputData),
    resourceRequirements: toResources(body.resourceRequirements),
  };
}

function toQuery(query: ListModels): ModelQuery {
  const order = (query.orderBy ?? "CreatedAtDesc") as ModelOrder;
  return {
    name: query.name,
    tags: parseLabelFilters(query.tags),
    properties: parseLabelFilters(query.properties),
    framework: query.framework,
    runId: query.runId,
    datasetId: query.datasetId,
    latestVersionOnly: query.latestVersionOnly?.toLowerCase() === "true",
    order,
    limit: Math.min(Math.max(Number(query.count ?? DEFAULT_PAGE), 1), LARGEST_PAGE),
    // An offset counts from the beginning; a token already stands behind it.
    offset: query.$skipToken === undefined ? Number(query.offset ?? 0) : 0,
    after: query.$skipToken === undefined ? undefined : parseSkipToken(query.$skipToken, order),
  };
}

function nextLink(publicUrl: string, request: FastifyRequest, token: string): string {
  const link = new URL(request.url, publicUrl);
  link.searchParams.set("$skipToken", token);
  return link.href;
}
