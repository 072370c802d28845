import type { Kysely } from "kysely";
import type { EnvironmentService, ImportedEnvironments } from "../environment/index.ts";
import { isTerminal, type OperationRunner, type OperationStore } from "../operation/index.ts";
import { ownArchitecture } from "../platform/architecture.ts";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import type { Clock } from "../platform/clock.ts";
import { newSecret, newUuid } from "../platform/ids.ts";
import { imageLocation, type Registry } from "../registry/index.ts";
import type { Workspace } from "../workspace/index.ts";
import type { AppFolders } from "./app-folder.ts";
import type { BaseCredentials } from "./base/base-credentials.ts";
import { type BuildImageInput, IMAGE_BUILD } from "./build-image.operation.ts";
import { checkImageRequest } from "./check-image-request.ts";
import {
  IMPORTED_FROM,
  type Image,
  type ImageReader,
  type ImageRequest,
  type ImageUsers,
  type RegistryCredentials,
} from "./image.ts";
import { architectureOf } from "./image-architecture.ts";
import { bundleOf } from "./image-bundle.ts";
import { dockerfileOf } from "./image-dockerfile.ts";
import { imageImported, imageInUse, imageNotFound, imageNotReady } from "./image-errors.ts";
import { checkRequest, type InputReaders, readSteps } from "./image-inputs.ts";
import { createImageStore, type ImageFilter, type NewImage, type StoredImage } from "./image-store.ts";
import type { ImageTables } from "./image-tables.ts";
import { type RebuildInput, rebuildOf, rebuiltImage } from "./rebuild-image.ts";
import type { StepLayers } from "./steps/docker-steps-layers.ts";

export interface ImageServiceDependencies<Tables extends ImageTables> extends InputReaders {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly registry: Registry;
  readonly environments: EnvironmentService;
  readonly importedEnvironments: ImportedEnvironments;
  readonly folders: AppFolders;
  readonly baseCredentials: BaseCredentials;
  readonly steps: Pick<StepLayers, "check">;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake" | "cancel">;
  readonly operations: Pick<OperationStore, "find" | "log">;
  readonly usersOf: ImageUsers;
  findWorkspace(workspaceId: string): Promise<Workspace | undefined>;
  /** `host:port` under which the registry is reached */
  readonly registryHost: string;
}

export interface ImageChanges {
  readonly tags?: Image["tags"];
  /** added to those that are there */
  readonly properties?: Image["properties"];
  readonly description?: string | null;
}

export interface ImageService extends ImageReader {
  /**
   * Makes the next version of an image from the same inputs, on what its base is today.
   *
   * @param options.upgrade packages are resolved anew; otherwise the lock stays
   * @throws {AppError} ImageNotFound, ImageImported
   */
  rebuild(workspaceId: string, id: string, options: { readonly upgrade: boolean }): Promise<Image>;
  list(workspaceId: string, filter: ImageFilter): Promise<StoredImage[]>;
  /** @throws {AppError} ImageNotFound */
  update(workspaceId: string, id: string, changes: ImageChanges): Promise<Image>;
  /** Ends a build that still runs. @throws {AppError} ImageNotFound, ImageInUse */
  delete(workspaceId: string, id: string): Promise<void>;
  /** `HOST:PORT/WORKSPACE/NAME:VERSION` */
  location(image: Image): Promise<string>;
  /** What the unguessable part of a link opens. @throws {AppError} ImageNotFound */
  buildLog(linkSecret: string): Promise<string>;
  dockerfile(linkSecret: string): Promise<string>;
}

export function createImageService<Tables extends ImageTables>(deps: ImageServiceDependencies<Tables>): ImageService {
  const { runner, registry, folders } = deps;
  const store = createImageStore(deps.database);

  async function get(workspaceId: string, id: string): Promise<StoredImage> {
    const image = await store.find(workspaceId, id);
    if (image === undefined) throw imageNotFound(id);
    return image;
  }

  async function linked(secret: string): Promise<StoredImage> {
    const image = await store.findByLinkSecret(secret);
    if (image === undefined) throw imageNotFound("behind this link");
    return image;
  }

  async function location(image: Image): Promise<string> {
    const workspace = await deps.findWorkspace(image.workspaceId);
    return imageLocation(deps.registryHost, workspace?.name ?? "", image.name, String(image.version));
  }

  /** The row and its build, in one transaction. */
  async function start(
    image: NewImage,
    {
      rebuild,
      credentials,
    }: { readonly rebuild?: RebuildInput; readonly credentials?: RegistryCredentials | undefined },
  ): Promise<StoredImage> {
    const { workspaceId, name, linkSecret, operationId } = image;
    const version = await store.transaction(async (transaction) => {
      const next = await store.nextVersion(transaction, workspaceId, name);
      await store.insert(transaction, image, next);
      if (credentials !== undefined) {
        await deps.baseCredentials.put(transaction, { workspaceId, name, version: next }, credentials);
      }
      const imageId = `${name}:${next}`;
      const input: BuildImageInput = { imageId, linkSecret, ...(rebuild && { rebuild }) };
      const queue = `image:${workspaceId}:${imageId}`;
      await runner.enqueue({ id: operationId, workspaceId, kind: IMAGE_BUILD, input, queue }, transaction);
      return next;
    });
    runner.wake();
    return get(workspaceId, `${name}:${version}`);
  }

  return {
    get,
    location,
    list: store.list,

    async create(workspaceId, request: ImageRequest) {
      const image = newImage(workspaceId, checkImageRequest(request), deps.clock);
      await checkRequest(deps, image);
      const { architecture } = architectureOf(image.targetRuntime.targetArchitecture);
      await deps.steps.check(await readSteps(deps, image), architecture);
      return start(image, { credentials: request.baseCredentials });
    },

    async rebuild(workspaceId, id, { upgrade }) {
      const image = await get(workspaceId, id);
      const { [IMPORTED_FROM]: place } = image.properties;
      if (place !== undefined) throw imageImported(id, place);
      const built = await store.findBuilt(workspaceId, id);
      const rebuild = rebuildOf(built, upgrade ? newUuid() : undefined);
      const credentials = await deps.baseCredentials.find(workspaceId, id);
      return start(rebuiltImage(image, deps.clock), { rebuild, credentials });
    },

    async update(workspaceId, id, changes) {
      const image = await get(workspaceId, id);
      const properties = changes.properties && { ...image.properties, ...changes.properties };
      await store.update(workspaceId, id, { ...changes, ...(properties && { properties }) });
      return get(workspaceId, id);
    },

    async delete(workspaceId, id) {
      const image = await get(workspaceId, id);
      const users = await deps.usersOf(workspaceId, id);
      if (users.length > 0) throw imageInUse(id, users);
      const operation = await deps.operations.find(workspaceId, image.operationId);
      if (operation !== undefined && !isTerminal(operation.status)) await runner.cancel(operation.id);
      const unusedContent = await store.delete(workspaceId, id);
      await registry.removeTag({ workspaceId, name: image.name }, String(image.version));
      // Should a build of the same content be under way, its next step makes the folder again.
      if (unusedContent !== undefined) await folders.remove(unusedContent);
    },

    async bundle(workspaceId, id) {
      const image = await get(workspaceId, id);
      const built = await store.findBuilt(workspaceId, id);
      if (image.state !== "Succeeded" || image.digest === null || built === undefined) {
        throw imageNotReady(id, image.state, image.error);
      }
      const facts = {
        imageId: id,
        imageDigest: image.digest,
        imageLocation: await location(image),
        repository: { workspaceId, name: image.name },
      };
      return bundleOf(deps, image, built, facts);
    },

    async usersOfModel(workspaceId, modelId) {
      return (await store.list(workspaceId, { modelId })).map((image) => `image ${image.id}`);
    },

    async buildLog(linkSecret) {
      const image = await linked(linkSecret);
      const entries = await deps.operations.log(image.operationId);
      return entries.map(({ at, text }) => `${at} ${text}\n`).join("");
    },

    async dockerfile(linkSecret) {
      const image = await linked(linkSecret);
      const built = await store.findBuilt(image.workspaceId, image.id);
      if (built === undefined) return `# ${image.id} is not built: its state is ${image.state}.\n`;
      return dockerfileOf(image, built);
    },
  };
}

function newImage(workspaceId: string, request: ImageRequest, clock: Clock): NewImage {
  return {
    workspaceId,
    name: request.name,
    description: request.description ?? null,
    tags: request.tags ?? {},
    properties: request.properties ?? {},
    imageType: request.imageType ?? "Docker",
    imageFlavor: request.imageFlavor ?? "WebApiContainer",
    modelIds: [...new Set(request.modelIds)],
    driverProgram: request.driverProgram ?? null,
    assets: request.assets,
    targetRuntime: request.targetRuntime ?? {
      runtimeType: "Python",
      targetArchitecture: ownArchitecture(),
      properties: {},
    },
    condaFile: request.condaFile ?? null,
    environmentVariables: request.environmentVariables ?? {},
    operationId: newUuid(),
    linkSecret: newSecret(),
    createdAt: clock.now().toISOString(),
  };
}
