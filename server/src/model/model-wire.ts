import type { EmbeddedWireModel, WireModel } from "@slipway/api";
import type { Model } from "./model.ts";

/** v1 names who made a model; everybody is one user here. */
const CREATED_BY = {
  userObjectId: "00000000-0000-0000-0000-000000000001",
  userTenantId: "00000000-0000-0000-0000-000000000000",
  userName: "slipway",
} as const;

/** A model as its own calls answer it (wire contract 6.1). */
export function toWireModel(model: Model): WireModel {
  return {
    id: model.id,
    name: model.name,
    version: model.version,
    framework: model.framework,
    frameworkVersion: model.frameworkVersion,
    datasets: [...model.datasets],
    url: model.url,
    mimeType: model.mimeType,
    description: model.description,
    createdTime: model.createdAt,
    modifiedTime: model.modifiedAt,
    unpack: model.unpack,
    parentModelId: model.parentModelId,
    runId: model.runId,
    experimentName: model.experimentName,
    kvTags: { ...model.tags },
    properties: { ...model.properties },
    derivedModelIds: [...model.derivedModelIds],
    sampleInputData: model.sampleInputData,
    sampleOutputData: model.sampleOutputData,
    resourceRequirements: model.resourceRequirements,
    createdBy: CREATED_BY,
  };
}

/** A model inside `modelDetails` of an image or `models` of a service (wire contract 7.2). */
export function toEmbeddedWireModel(model: Model): EmbeddedWireModel {
  return { ...toWireModel(model), tags: { ...model.tags } };
}
