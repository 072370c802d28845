import type { Artifacts, UploadOptions } from "./artifacts.ts";
import { type FileSource, toHex } from "./file-source.ts";
import type { Http } from "./http.ts";
import { readPages, tagFilter } from "./pages.ts";
import type { Asset, Model } from "./wire.ts";
import type { WorkspaceAddress } from "./workspace-address.ts";

export interface NewModel {
  readonly name: string;
  /** one file, or all files of a folder with paths that begin with the folder's name */
  readonly files: readonly FileSource[];
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  /** ScikitLearn, Onnx, TensorFlow …; Custom if left out */
  readonly framework?: string | undefined;
  readonly frameworkVersion?: string | undefined;
  /** a request body as the service will get it; used to try a new revision before it gets traffic */
  readonly sampleInput?: string | undefined;
}

export interface ModelFilter {
  readonly name?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly framework?: string | undefined;
  readonly latestVersionOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The property that holds the digest of a model's content, so that nobody registers the same files twice without wanting to. */
export const CONTENT_PROPERTY = "contentDigest";

export type Models = ReturnType<typeof createModels>;

const PAGE_SIZE = 255;

export function createModels(http: Http, artifacts: Artifacts, address: WorkspaceAddress) {
  const url = (id: string) => `${address.modelManagement}/models/${encodeURIComponent(id)}`;

  async function latest(name: string, signal?: AbortSignal): Promise<Model | undefined> {
    const page = await http.json<{ value: Model[] }>("GET", `${address.modelManagement}/models`, {
      query: { name, count: 1 },
      signal,
    });
    return page.value[0];
  }

  return {
    /** Uploads and registers; the version counts up by itself. */
    async register(model: NewModel, options: UploadOptions = {}): Promise<Model> {
      const uploaded = await artifacts.upload(model.files, options);
      const digest = await contentDigest(uploaded);
      const asset = await http.json<Asset>("POST", `${address.modelManagement}/assets`, {
        body: { name: model.name, artifacts: prefixes(uploaded.map((file) => file.artifactId)) },
        signal: options.signal,
      });
      return http.json<Model>("POST", `${address.modelManagement}/models`, {
        body: {
          name: model.name,
          datasets: [],
          url: `aml://asset/${asset.id}`,
          mimeType: "application/json",
          unpack: false,
          description: model.description,
          kvTags: model.tags ?? {},
          properties: { ...model.properties, ...(digest === undefined ? {} : { [CONTENT_PROPERTY]: digest }) },
          framework: model.framework,
          frameworkVersion: model.frameworkVersion,
          sampleInputData: model.sampleInput,
        },
        signal: options.signal,
      });
    },

    /** Newest first. */
    async list(filter: ModelFilter = {}): Promise<Model[]> {
      const query = {
        count: PAGE_SIZE,
        latestVersionOnly: filter.latestVersionOnly ?? false,
        name: filter.name,
        framework: filter.framework,
        tags: tagFilter(filter.tags),
      };
      return readPages<Model>(http, `${address.modelManagement}/models`, { query, signal: filter.signal }, "token");
    },

    /** @param id `name:version` @throws {SlipwayError} ModelNotFound */
    async get(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<Model> {
      return http.json<Model>("GET", url(id), options);
    },

    latest,

    /** Where the model's files can be fetched, with paths as they were registered. */
    async files(id: string, options: { readonly signal?: AbortSignal | undefined } = {}) {
      const model = await http.json<Model>("GET", url(id), options);
      const assetId = model.url.replace("aml://asset/", "");
      const asset = await http.json<Asset>(
        "GET",
        `${address.modelManagement}/assets/${encodeURIComponent(assetId)}`,
        options,
      );
      const found = [];
      for (const artifact of asset.artifacts) {
        const prefix = artifact.prefix ?? artifact.id ?? "";
        const parent = prefix.split("/").slice(2, -1).join("/");
        for (const file of await artifacts.list(prefix, options)) {
          const path = parent === "" ? file.path : file.path.slice(parent.length + 1);
          found.push({ path, contentUri: file.contentUri });
        }
      }
      return found;
    },

    /** @throws {SlipwayError} statusCode 412 naming the images that use it */
    /** @returns false if it was not there */
    async delete(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
      return (await http.send("DELETE", url(id), options)).status !== 204;
    },
  };
}

/** `sha256:` and the digest over names and contents, in the form of `sha256sum`; undefined if one of the digests is not known. */
export async function contentDigest(
  files: readonly { readonly path: string; readonly sha256: string | undefined }[],
): Promise<string | undefined> {
  const lines: string[] = [];
  for (const { path, sha256 } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    if (sha256 === undefined) return undefined;
    lines.push(`${sha256}  ${path}\n`);
  }
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("")));
  return `sha256:${toHex(new Uint8Array(bytes))}`;
}

/** One prefix for each file or folder at the top of the upload: a folder is one thing. */
function prefixes(artifactIds: readonly string[]): { prefix: string }[] {
  const tops = artifactIds.map((id) => id.split("/").slice(0, 3).join("/"));
  return [...new Set(tops)].map((prefix) => ({ prefix }));
}
