import { ownArchitecture } from "../platform/architecture.ts";
import { type Descriptor, type Layer, mediaTypes, type Registry } from "../registry/index.ts";
import { type Image, type ImagePlan, modelDirectory } from "./image.ts";
import { APP_ROOT, ENVIRONMENT_ROOT, type ImageLayer } from "./image-layers.ts";

export interface WrittenManifest {
  readonly manifest: Descriptor;
  readonly contents: readonly Descriptor[];
}

/**
 * Writes config and manifest of the OCI image specification. Nothing in them depends on when or where the build ran but the
 * image's own name and creation time, so a repeated step writes the same bytes.
 */
export async function writeManifest(
  registry: Registry,
  image: Image,
  plan: ImagePlan,
  layers: readonly ImageLayer[],
): Promise<WrittenManifest> {
  const found = await Promise.all(layers.map((layer) => layerOf(registry, layer)));
  const config = await registry.putDocument(mediaTypes.config, imageConfig(image, plan, found));
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
      "org.opencontainers.image.title": image.name,
      "org.opencontainers.image.version": String(image.version),
      "org.opencontainers.image.created": image.createdAt,
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
  layers: readonly { readonly layer: Layer; readonly title: string }[],
) {
  const variables = imageVariables(image, plan, `/${APP_ROOT}`);
  return {
    created: image.createdAt,
    architecture: ownArchitecture(),
    os: "linux",
    config: { Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`), WorkingDir: `/${APP_ROOT}` },
    rootfs: { type: "layers", diff_ids: layers.map(({ layer }) => layer.diffId) },
    history: layers.map(({ title }) => ({ created: image.createdAt, created_by: `slipway: ${title}` })),
  };
}

/** What the driver finds set before it is imported; the user's own variables do not reach over ours. */
export function imageVariables(image: Image, plan: ImagePlan, appRoot: string): Record<string, string> {
  const models = modelDirectory(plan.models);
  return {
    ...image.environmentVariables,
    AML_APP_ROOT: appRoot,
    ...(models === undefined ? {} : { AZUREML_MODEL_DIR: `${appRoot}/${models}` }),
  };
}

/** The layers as the Dockerfile that would make them; for people, nothing is built from it. */
export function dockerfileOf(image: Image, plan: ImagePlan): string {
  const lines = [
    `# ${image.id}: what its layers hold, written as a Dockerfile.`,
    "# Base and runtime (operating system, Python, scorer) are not layers of this image: the target brings them.",
    "FROM scratch",
  ];
  if (plan.runtime === "python") lines.push(`COPY environment/ /${ENVIRONMENT_ROOT}/`);
  for (const model of plan.models) {
    const folder = `/${APP_ROOT}/azureml-models/${model.name}/${model.version}/`;
    lines.push(`COPY models/${model.name}/${model.version}/ ${folder}`);
  }
  if (plan.runtime === "python") lines.push(`COPY code/ /${APP_ROOT}/`);
  for (const [name, value] of Object.entries(imageVariables(image, plan, `/${APP_ROOT}`))) {
    lines.push(`ENV ${name}=${JSON.stringify(value).replaceAll("$", "\\$")}`);
  }
  lines.push(`WORKDIR /${APP_ROOT}`);
  if (plan.driver !== null) lines.push(`# The scorer loads ${plan.driver}.`);
  return `${lines.join("\n")}\n`;
}
