import type { Artifacts, UploadOptions } from "./artifacts.ts";
import type { FileSource } from "./file-source.ts";
import type { Http } from "./http.ts";
import { type Started, startedOperation } from "./operations.ts";
import { readPages, tagFilter } from "./pages.ts";
import { SlipwayError } from "./slipway-error.ts";
import type { Image } from "./wire.ts";
import type { WorkspaceAddress } from "./workspace-address.ts";

export interface NewImage {
  readonly name: string;
  /** `name:version` of each model */
  readonly models: readonly string[];
  /** the file with `init()` and `run()`; leave it out for an ONNX model, which needs none */
  readonly script?: FileSource | undefined;
  /** conda environment: Python and packages */
  readonly condaFile?: FileSource | undefined;
  /** files that go beside the script, under their own names */
  readonly dependencies?: readonly FileSource[] | undefined;
  /** `.tar.gz` files that are unpacked beside the script; members have relative names */
  readonly archives?: readonly FileSource[] | undefined;
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

export interface ImageFilter {
  readonly name?: string | undefined;
  readonly modelId?: string | undefined;
  readonly modelName?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The image exists from now on; its operation builds it. */
export interface StartedImage extends Started {
  /** `name:version` */
  readonly imageId: string;
}

export type Images = ReturnType<typeof createImages>;

export function createImages(http: Http, artifacts: Artifacts, address: WorkspaceAddress) {
  const url = (id: string) => `${address.modelManagement}/images/${encodeURIComponent(id)}`;

  async function get(id: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Image> {
    return http.json<Image>("GET", url(id), options);
  }

  return {
    /** Uploads what is new and starts the build. */
    async create(image: NewImage, options: UploadOptions = {}): Promise<StartedImage> {
      const { script, condaFile, dependencies = [], archives = [] } = image;
      const files = [script, condaFile, ...dependencies, ...archives].filter((file) => file !== undefined);
      const uploaded = files.length === 0 ? [] : await artifacts.upload(files, options);
      const uri = (file: FileSource) => {
        const found = uploaded[files.indexOf(file)];
        if (found === undefined) throw new Error(`${file.path} was not uploaded.`);
        return `aml://artifact/${found.artifactId}`;
      };
      const assets = [script, ...dependencies]
        .filter((file) => file !== undefined)
        .map((file) => ({ id: file.path, url: uri(file), mimeType: mimeTypeOf(file.path), unpack: false }));
      const unpacked = archives.map((file) => ({
        id: file.path,
        url: uri(file),
        mimeType: "application/octet-stream",
        unpack: true,
      }));
      const response = await http.send("POST", `${address.modelManagement}/images`, {
        body: {
          name: image.name,
          description: image.description ?? null,
          kvTags: image.tags ?? {},
          properties: image.properties ?? {},
          modelIds: image.models,
          driverProgram: script?.path ?? null,
          assets: [...assets, ...unpacked],
          targetRuntime: {
            runtimeType: "Python",
            targetArchitecture: "amd64",
            properties: condaFile === undefined ? {} : { condaEnvFile: uri(condaFile) },
          },
          imageType: "Docker",
          imageFlavor: "WebApiContainer",
        },
        signal: options.signal,
      });
      const started = startedOperation(response);
      const operation = await http.json<{ resourceLocation: string | null }>(
        "GET",
        `${address.modelManagement}/operations/${encodeURIComponent(started.operationId)}`,
        { signal: options.signal },
      );
      const imageId = operation.resourceLocation?.split("/").at(-1);
      if (imageId === undefined) throw imageNotNamed(started.operationId);
      return { ...started, imageId: decodeURIComponent(imageId) };
    },

    /** Newest first. */
    async list(filter: ImageFilter = {}): Promise<Image[]> {
      const { name, modelId, modelName, tags, signal } = filter;
      const query = { expand: true, orderBy: "CreatedAtDesc", name, modelId, modelName, tags: tagFilter(tags) };
      return readPages<Image>(http, `${address.modelManagement}/images`, { query, signal }, "link");
    },

    /** @param id `name:version` @throws {SlipwayError} ImageNotFound */
    get,

    async latest(name: string, signal?: AbortSignal): Promise<Image | undefined> {
      const page = await http.json<{ value: Image[] }>("GET", `${address.modelManagement}/images`, {
        query: { name, orderBy: "CreatedAtDesc", count: 1, expand: true },
        signal,
      });
      return page.value[0];
    },

    /** The build log: every step with its time, and the cause if it failed. */
    async buildLog(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
      return (await artifacts.open((await get(id, options)).imageBuildLogUri, options)).text();
    },

    /** The Dockerfile that makes the same image. */
    async dockerfile(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
      return (await artifacts.open((await get(id, options)).generatedDockerFileUri, options)).text();
    },

    /** @throws {SlipwayError} statusCode 412 naming the services that use it */
    async delete(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
      await http.send("DELETE", url(id), options);
    },
  };
}

function mimeTypeOf(path: string): string {
  return path.endsWith(".py") ? "application/x-python" : "application/octet-stream";
}

function imageNotNamed(operationId: string): SlipwayError {
  return new SlipwayError({
    code: "UnexpectedAnswer",
    message: `The server started the build ${operationId} but named no image.`,
  });
}
