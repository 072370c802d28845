import type { OperationRunner } from "../../operation/index.ts";
import type { Clock } from "../../platform/clock.ts";
import { newSecret, newUuid } from "../../platform/ids.ts";
import { type ImageReference, imageName, parseImageReference } from "../../registry/remote/index.ts";
import type { SecretBox } from "../../secret/index.ts";
import { checkImageRequest } from "../check-image-request.ts";
import { IMPORTED_FROM, type Image, type RegistryCredentials } from "../image.ts";
import { imageNotFound } from "../image-errors.ts";
import type { ImageStore, NewImage } from "../image-store.ts";
import { IMAGE_IMPORT, type ImportImageInput } from "./import-image.operation.ts";

export interface ImageImport {
  /** `HOST[:PORT]/NAME[:TAG]` or `…@sha256:…` */
  readonly reference: string;
  /** that it gets here; the last part of the reference's name if not given */
  readonly name?: string | undefined;
  /** as OCI names it; this machine's if not given */
  readonly architecture?: string | undefined;
  readonly credentials?: RegistryCredentials | undefined;
}

export interface ImageImporter {
  /**
   * Starts taking an image out of a registry elsewhere. Its row is there at once, and the next version of its name is taken.
   *
   * @throws {AppError} ReferenceInvalid, ImageNameInvalid
   */
  import(workspaceId: string, wanted: ImageImport): Promise<Image>;
}

export function createImageImporter(deps: {
  readonly store: ImageStore;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  readonly secrets: SecretBox;
  readonly clock: Clock;
}): ImageImporter {
  const { store, runner, secrets } = deps;
  return {
    async import(workspaceId, { reference: text, name, architecture, credentials }) {
      const reference = parseImageReference(text);
      const image = importedImage(workspaceId, reference, name, architecture, deps.clock);
      const sealed = credentials === undefined ? null : secrets.seal(JSON.stringify(credentials));
      const imageId = await store.transaction(async (transaction) => {
        const version = await store.nextVersion(transaction, workspaceId, image.name);
        await store.insert(transaction, image, version);
        const id = `${image.name}:${version}`;
        const input: ImportImageInput = {
          imageId: id,
          linkSecret: image.linkSecret,
          reference: imageName(reference),
          credentials: sealed,
        };
        const queue = `image:${workspaceId}:${id}`;
        await runner.enqueue({ id: image.operationId, workspaceId, kind: IMAGE_IMPORT, input, queue }, transaction);
        return id;
      });
      runner.wake();
      const stored = await store.find(workspaceId, imageId);
      if (stored === undefined) throw imageNotFound(imageId);
      return stored;
    },
  };
}

/** All that is known before the first answer; what it holds comes when it is there. */
function importedImage(
  workspaceId: string,
  reference: ImageReference,
  wantedName: string | undefined,
  architecture: string | undefined,
  clock: Clock,
): NewImage {
  const { name } = checkImageRequest({
    name: wantedName ?? reference.repository.slice(reference.repository.lastIndexOf("/") + 1),
    modelIds: [],
    assets: [],
  });
  return {
    workspaceId,
    name,
    description: null,
    tags: {},
    properties: { [IMPORTED_FROM]: imageName(reference) },
    imageType: "Docker",
    imageFlavor: "WebApiContainer",
    modelIds: [],
    driverProgram: null,
    assets: [],
    targetRuntime: {
      runtimeType: "Python",
      // Without "linux/" it means where it is used.
      targetArchitecture: architecture === undefined ? "amd64" : `linux/${architecture}`,
      properties: {},
    },
    condaFile: null,
    environmentVariables: {},
    operationId: newUuid(),
    linkSecret: newSecret(),
    createdAt: clock.now().toISOString(),
  };
}
