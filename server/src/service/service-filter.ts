import type { Image } from "../image/index.ts";
import type { Service } from "./service.ts";

/** All given conditions must hold. */
export interface ServiceFilter {
  readonly computeType?: string | undefined;
  readonly imageName?: string | undefined;
  readonly imageId?: string | undefined;
  readonly imageDigest?: string | undefined;
  readonly modelName?: string | undefined;
  readonly modelId?: string | undefined;
  /** `k=v,k2`: the pair, or that the key is there */
  readonly tags?: string | undefined;
  readonly properties?: string | undefined;
}

export function matches(service: Service, imageId: string, image: Image | undefined, filter: ServiceFilter): boolean {
  const { computeType, imageName, modelName, modelId, imageDigest, tags, properties } = filter;
  return (
    (computeType === undefined || service.computeType === computeType.toUpperCase()) &&
    (filter.imageId === undefined || imageId === filter.imageId) &&
    (imageName === undefined || nameOf(imageId) === imageName) &&
    (imageDigest === undefined || image?.digest === imageDigest) &&
    (modelId === undefined || (image?.modelIds ?? []).includes(modelId)) &&
    (modelName === undefined || (image?.modelIds ?? []).some((id) => nameOf(id) === modelName)) &&
    (tags === undefined || hasAll(service.tags, tags)) &&
    (properties === undefined || hasAll(service.properties, properties))
  );
}

function nameOf(id: string): string {
  return id.slice(0, id.lastIndexOf(":"));
}

function hasAll(texts: Readonly<Record<string, string>>, wanted: string): boolean {
  return wanted.split(",").every((item) => {
    const [key = "", ...value] = item.split("=");
    if (!Object.hasOwn(texts, key)) return false;
    return value.length === 0 || texts[key] === value.join("=");
  });
}
