import { imagePaths } from "@slipway/api";
import { type Descriptor, type Layer, mediaTypes, type Registry } from "../registry/index.ts";
import type { ResolvedBase } from "./base/base-image.ts";
import type { Image, ImagePlan } from "./image.ts";
import type { ImageLayer } from "./image-layers.ts";
import { imageAnnotations, imageSettings, imageVariables } from "./image-settings.ts";

export interface WrittenManifest {
  readonly manifest: Descriptor;
  readonly contents: readonly Descriptor[];
}

export interface ImageParts {
  readonly architecture: string;
  readonly base: ResolvedBase | null;
  /** lowest first */
  readonly layers: readonly ImageLayer[];
}

/**
 * Writes config and manifest of the OCI image specification. Nothing in them tells when, where or under which version the build
 * ran: the same inputs give the same digest on every machine and day. When it was is in the image's row and in its provenance.
 */
export async function writeManifest(
  registry: Registry,
  image: Image,
  plan: ImagePlan,
  parts: ImageParts,
): Promise<WrittenManifest> {
  const { layers, base } = parts;
  const found = await Promise.all(layers.map((layer) => layerOf(registry, layer)));
  const config = await registry.putDocument(mediaTypes.config, imageConfig(image, plan, parts, found));
  const described = found.map(({ layer, kind, title }) => ({
    mediaType: layer.mediaType,
    digest: layer.digest,
    size: layer.sizeBytes,
    annotations: { "dev.slipway.layer": kind, "org.opencontainers.image.title": title },
  }));
  const manifest = await registry.putDocument(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: described,
    annotations: {
      ...imageAnnotations(image, base),
      "dev.slipway.layers": [...new Set(layers.map((layer) => layer.kind))].join(","),
    },
  });
  return { manifest, contents: [config, ...described] };
}

async function layerOf(registry: Registry, { digest, kind, title }: ImageLayer) {
  const layer = await registry.findLayer(digest);
  if (layer === undefined) throw new Error(`The layer ${digest} is not known to the registry.`);
  return { layer, kind, title };
}

function imageConfig(
  image: Image,
  plan: ImagePlan,
  { architecture, base }: ImageParts,
  layers: readonly { readonly layer: Layer; readonly title: string }[],
) {
  const { variant } = base?.platform ?? {};
  return {
    architecture,
    ...(variant !== undefined && { variant }),
    os: "linux",
    config: base === null ? withoutBase(image, plan) : withBase(image, plan, base),
    rootfs: { type: "layers", diff_ids: layers.map(({ layer }) => layer.diffId) },
    history: layers.map(({ title }) => ({ created_by: `slipway: ${title}` })),
  };
}

/** There is nothing to start in such an image; a target lays it out. */
function withoutBase(image: Image, plan: ImagePlan) {
  return { Env: pairs(imageVariables(image, plan, imagePaths.appRoot)), WorkingDir: imagePaths.appRoot };
}

function withBase(image: Image, plan: ImagePlan, base: ResolvedBase) {
  const settings = imageSettings(image, plan, base);
  return {
    User: settings.user,
    ExposedPorts: Object.fromEntries(settings.exposedPorts.map((port) => [port, {}])),
    Env: pairs(settings.env),
    Entrypoint: settings.entrypoint,
    WorkingDir: settings.workingDirectory,
    Labels: settings.labels,
    Healthcheck: settings.healthcheck,
  };
}

function pairs(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}
