import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import type { Descriptor, Registry } from "../registry/index.ts";
import type { Image } from "./image.ts";

/** A manifest that a build wrote, read again. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  /** as OCI names it: `amd64`, `arm64` */
  readonly architecture: string;
  /** how it is started: whatever came from the base, from the user and from Slipway */
  readonly configuration: {
    readonly variables: Readonly<Record<string, string>>;
    /** user, working folder, ports and labels, in words */
    readonly settings: Readonly<Record<string, string>>;
  };
  /** lowest first */
  readonly layers: readonly StoredLayer[];
  readonly base: { readonly reference: string; readonly digest: string } | null;
}

export interface StoredLayer {
  /** `base`, `runtime`, `environment`, `model`, `code` …; `unknown` of one that says nothing */
  readonly kind: string;
  /** for people: what is in it */
  readonly title: string;
  readonly digest: string;
  /** as it is pulled, so compressed if it is */
  readonly sizeBytes: number;
}

type Annotations = Readonly<Record<string, string>>;

interface ManifestDocument {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Annotations;
}

/** @param digest of a manifest that is in the registry as long as the image is */
export async function readStoredManifest(
  registry: Registry,
  image: Pick<Image, "id" | "workspaceId" | "name">,
  digest: string,
): Promise<StoredManifest> {
  const repository = { workspaceId: image.workspaceId, name: image.name };
  const manifest = await readJson<ManifestDocument>(await registry.findManifest(repository, digest));
  const config =
    manifest && (await readJson<Config>(await registry.findBlob(repository, manifest.document.config.digest)));
  if (manifest === undefined || config === undefined) {
    throw new Error(`The manifest ${digest} of ${image.id} is not whole in the registry.`);
  }
  const { layers, annotations } = manifest.document;
  return {
    descriptor: manifest.descriptor,
    architecture: config.document.architecture,
    configuration: configurationIn(config.document.config ?? {}),
    layers: layers.map((layer) => ({
      kind: layer.annotations?.["dev.slipway.layer"] ?? "unknown",
      title: layer.annotations?.["org.opencontainers.image.title"] ?? "",
      digest: layer.digest,
      sizeBytes: layer.size,
    })),
    base: baseIn(annotations ?? {}),
  };
}

/** OCI image specification, "Image configuration" */
interface Config {
  readonly architecture: string;
  readonly config?: Execution;
}

interface Execution {
  readonly Env?: readonly string[] | null;
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
  readonly Labels?: Annotations | null;
}

function configurationIn({ Env, User, WorkingDir, ExposedPorts, Labels }: Execution): StoredManifest["configuration"] {
  const variables = (Env ?? []).map(
    (text) => [text.split("=", 1)[0] ?? "", text.slice(text.indexOf("=") + 1)] as const,
  );
  const labels = Object.entries(Labels ?? {})
    // They say again what the manifest says.
    .filter(([name]) => !name.startsWith("org.opencontainers.image."))
    .map(([name, value]) => [`label ${name}`, value] as const);
  const said = [
    ["user", User ?? ""],
    ["working folder", WorkingDir ?? ""],
    ["ports", Object.keys(ExposedPorts ?? {}).join(" ")],
    ...labels,
  ] as const;
  return {
    variables: Object.fromEntries(variables),
    settings: Object.fromEntries(said.filter(([, value]) => value !== "")),
  };
}

async function readJson<T>(content: Awaited<ReturnType<Registry["findBlob"]>>) {
  if (content === undefined) return undefined;
  const { mediaType, digest, size } = content;
  return { descriptor: { mediaType, digest, size }, document: (await json(Readable.from(content.read()))) as T };
}

/** OCI image specification, "Pre-defined annotation keys" */
function baseIn(annotations: Annotations): StoredManifest["base"] {
  const digest = annotations["org.opencontainers.image.base.digest"];
  if (digest === undefined) return null;
  return { reference: annotations["org.opencontainers.image.base.name"] ?? digest, digest };
}
