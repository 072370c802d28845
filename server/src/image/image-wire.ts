import type { CreateImageRequest, WireImage } from "@slipway/api";
import { ownArchitecture } from "../platform/architecture.ts";
import { readBase } from "./base/base-wire.ts";
import type { Image, ImageRequest } from "./image.ts";

/** What only the installation knows of an image. */
export interface ImageLinks {
  /** `HOST:PORT/WORKSPACE/NAME:VERSION` */
  readonly location: string;
  /** `https://host:port`, without a slash at its end */
  readonly publicUrl: string;
}

export const buildLogUrl = (publicUrl: string, linkSecret: string) =>
  `${publicUrl}/links/images/${linkSecret}/build.log`;
export const dockerfileUrl = (publicUrl: string, linkSecret: string) =>
  `${publicUrl}/links/images/${linkSecret}/Dockerfile`;

/**
 * An image as the wire has it, with every key that the genuine client reads (wire contract 7.2).
 *
 * @param modelDetails for `expand=true`: the models as `GET models/ID` answers them, with `tags` beside `kvTags`
 */
export function toWireImage(image: Image, links: ImageLinks, modelDetails?: readonly unknown[]): WireImage {
  return {
    id: image.id,
    name: image.name,
    version: image.version,
    description: image.description,
    kvTags: { ...image.tags },
    properties: { ...image.properties },
    createdTime: image.createdAt,
    imageType: image.imageType,
    imageFlavor: image.imageFlavor,
    creationState: image.state,
    error: image.error && {
      code: image.error.code,
      statusCode: 400,
      message: image.error.message,
      details: image.error.details.map(({ code, message }) => ({ code, message })),
    },
    modelIds: [...image.modelIds],
    imageLocation: links.location,
    imageDigest: image.digest,
    imageBuildLogUri: buildLogUrl(links.publicUrl, image.linkSecret),
    generatedDockerFileUri: dockerfileUrl(links.publicUrl, image.linkSecret),
    driverProgram: image.driverProgram,
    assets: image.assets.map(({ id, url, mimeType, unpack }) => ({ id, url, mimeType, unpack })),
    targetRuntime: { ...image.targetRuntime, properties: { ...image.targetRuntime.properties } },
    ...(modelDetails === undefined ? {} : { modelDetails: [...modelDetails] }),
  };
}

export function toImageRequest(body: CreateImageRequest): ImageRequest {
  const { targetRuntime } = body;
  const { baseImage, baseImageRegistryInfo, ...properties } = targetRuntime?.properties ?? {};
  // The genuine client says it beside the runtime, the contract within it.
  const registry = (body.baseImageRegistryInfo ?? baseImageRegistryInfo ?? {}) as {
    location?: unknown;
    user?: unknown;
    password?: unknown;
  };
  const { reference, credentials } = readBase({
    image: body.baseImage || baseImage,
    registry: { address: registry.location, username: registry.user, password: registry.password },
  });
  return {
    name: body.name,
    description: body.description ?? null,
    tags: texts(body.kvTags),
    properties: texts(body.properties),
    modelIds: body.modelIds ?? [],
    ...(body.imageType ? { imageType: body.imageType } : {}),
    ...(body.imageFlavor ? { imageFlavor: body.imageFlavor } : {}),
    driverProgram: body.driverProgram ?? null,
    assets: (body.assets ?? []).map(({ id, url, mimeType, unpack }) => ({
      id,
      url,
      mimeType: mimeType ?? "application/octet-stream",
      unpack: unpack ?? false,
    })),
    targetRuntime: {
      runtimeType: targetRuntime?.runtimeType ?? "Python",
      targetArchitecture: targetRuntime?.targetArchitecture ?? ownArchitecture(),
      properties: {
        ...properties,
        ...(reference !== undefined && { baseImage: reference }),
        ...(body.dockerFileUri && { dockerFileUri: body.dockerFileUri }),
      },
    },
    ...(credentials !== undefined && { baseCredentials: credentials }),
  };
}

/** Tags whose value is null are tags without a value. */
function texts(values: Readonly<Record<string, string | null>> | null | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, value ?? ""]));
}
