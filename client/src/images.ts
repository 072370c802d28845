import type { Artifacts, UploadOptions } from "./artifacts.ts";
import type { FileSource } from "./file-source.ts";
import type { Http } from "./http.ts";
import { type Started, startedOperation } from "./operations.ts";
import { readPages, tagFilter } from "./pages.ts";
import { SlipwayError } from "./slipway-error.ts";
import type { Image, ImageComparison, ImageContents, ImageProof } from "./wire.ts";
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
  /** `amd64` or `arm64`; that of the server's machine if not given */
  readonly architecture?: string | undefined;
  /** what it stands on, instead of the server's own choice: `python:3.11-slim-bookworm` */
  readonly baseImage?: string | undefined;
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

type CallOptions = { readonly signal?: AbortSignal | undefined };

export type Images = ReturnType<typeof createImages>;

export function createImages(http: Http, artifacts: Artifacts, address: WorkspaceAddress) {
  const url = (id: string) => `${address.modelManagement}/images/${encodeURIComponent(id)}`;

  const ownUrl = (id: string) => `${address.slipway}/images/${encodeURIComponent(id)}`;

  async function get(id: string, options: CallOptions = {}): Promise<Image> {
    return http.json<Image>("GET", url(id), options);
  }

  async function startedImage(response: Response, signal: AbortSignal | undefined): Promise<StartedImage> {
    const started = startedOperation(response);
    const operation = await http.json<{ resourceLocation: string | null }>(
      "GET",
      `${address.modelManagement}/operations/${encodeURIComponent(started.operationId)}`,
      { signal },
    );
    const imageId = operation.resourceLocation?.split("/").at(-1);
    if (imageId === undefined) throw imageNotNamed(started.operationId);
    return { ...started, imageId: decodeURIComponent(imageId) };
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
            // Without "linux/" it is what the old client always says, and means nothing.
            targetArchitecture: image.architecture === undefined ? "amd64" : `linux/${image.architecture}`,
            properties: condaFile === undefined ? {} : { condaEnvFile: uri(condaFile) },
          },
          imageType: "Docker",
          imageFlavor: "WebApiContainer",
          ...(image.baseImage !== undefined && { baseImage: image.baseImage }),
        },
        signal: options.signal,
      });
      return startedImage(response, options.signal);
    },

    /**
     * Makes the next version of an image from the same inputs, on what its base is today.
     *
     * @param options.upgrade packages are resolved anew; otherwise the lock stays
     */
    async rebuild(
      id: string,
      options: CallOptions & { readonly upgrade?: boolean | undefined } = {},
    ): Promise<StartedImage> {
      const { upgrade = false, signal } = options;
      const response = await http.send("POST", `${ownUrl(id)}/rebuild`, { body: { upgrade }, signal });
      return startedImage(response, signal);
    },

    /**
     * Copies a built image into a registry elsewhere; the server does it.
     *
     * @param options.reference `HOST[:PORT]/NAME[:TAG]`
     * @throws {SlipwayError} ReferenceInvalid, ImageNotReady
     */
    async push(
      id: string,
      options: CallOptions & {
        readonly reference: string;
        readonly username?: string | undefined;
        readonly password?: string | undefined;
      },
    ): Promise<Started> {
      const { signal, ...body } = options;
      return startedOperation(await http.send("POST", `${ownUrl(id)}/push`, { body, signal }));
    },

    /**
     * Takes an image that Slipway built, here or elsewhere, out of another registry; the server does it. It becomes the next version
     * of its name and can be deployed as if it had been built here.
     *
     * @param options.reference `HOST[:PORT]/NAME[:TAG]` or `HOST[:PORT]/NAME@sha256:…`
     * @param options.name that it gets here; the last part of the reference's name if not given
     * @param options.architecture of an image for several; that of the server's machine if not given
     * @throws {SlipwayError} ReferenceInvalid, ImageNameInvalid; the operation ends with ImageForeign and others
     */
    async import(
      options: CallOptions & {
        readonly reference: string;
        readonly name?: string | undefined;
        readonly architecture?: "amd64" | "arm64" | undefined;
        readonly username?: string | undefined;
        readonly password?: string | undefined;
      },
    ): Promise<StartedImage> {
      const { signal, ...body } = options;
      return startedImage(await http.send("POST", `${address.slipway}/images/import`, { body, signal }), signal);
    },

    /** Layers, packages, models, code and proofs of a built image. @throws {SlipwayError} ImageNotBuilt */
    async contents(id: string, options: CallOptions = {}): Promise<ImageContents> {
      return http.json<ImageContents>("GET", `${ownUrl(id)}/contents`, options);
    },

    /** How the image `to` differs from the image `from`. @throws {SlipwayError} ImageNotBuilt */
    async compare(from: string, to: string, options: CallOptions = {}): Promise<ImageComparison> {
      return http.json<ImageComparison>("GET", `${ownUrl(from)}/comparison`, { query: { to }, ...options });
    },

    /** A file of the user's code, as it lies in the image. @param path as the contents have it */
    async codeFile(id: string, path: string, options: CallOptions = {}): Promise<Uint8Array> {
      const response = await http.send("GET", `${ownUrl(id)}/code`, { query: { path }, ...options });
      return new Uint8Array(await response.arrayBuffer());
    },

    /** The text of a document that lies beside the image. @throws {SlipwayError} ProofNotFound */
    async proof(id: string, type: ImageProof["type"], options: CallOptions = {}): Promise<string> {
      return (await http.send("GET", `${ownUrl(id)}/proofs/${type}`, options)).text();
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
    async buildLog(id: string, options: CallOptions = {}): Promise<string> {
      return (await artifacts.open((await get(id, options)).imageBuildLogUri, options)).text();
    },

    /** The Dockerfile that makes the same image. */
    async dockerfile(id: string, options: CallOptions = {}): Promise<string> {
      return (await artifacts.open((await get(id, options)).generatedDockerFileUri, options)).text();
    },

    /** @throws {SlipwayError} statusCode 412 naming the services that use it */
    async delete(id: string, options: CallOptions = {}): Promise<void> {
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
