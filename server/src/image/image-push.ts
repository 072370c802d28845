import type { OperationRunner } from "../operation/index.ts";
import { newUuid } from "../platform/ids.ts";
import { imageName, parseImageReference } from "../registry/remote/index.ts";
import type { SecretBox } from "../secret/index.ts";
import type { RegistryCredentials } from "./image.ts";
import { imageNotFound, imageNotReady } from "./image-errors.ts";
import type { ImageStore } from "./image-store.ts";
import { IMAGE_PUSH, type PushImageInput } from "./push-image.operation.ts";

export interface ImagePusher {
  /**
   * Starts copying a built image into a registry elsewhere.
   *
   * @returns the operation's id
   * @throws {AppError} ImageNotFound, ImageNotReady, ReferenceInvalid
   */
  push(workspaceId: string, imageId: string, reference: string, credentials?: RegistryCredentials): Promise<string>;
}

export function createImagePusher(deps: {
  readonly store: ImageStore;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  readonly secrets: SecretBox;
}): ImagePusher {
  const { store, runner, secrets } = deps;
  return {
    async push(workspaceId, imageId, reference, credentials) {
      const name = imageName(parseImageReference(reference));
      const image = await store.find(workspaceId, imageId);
      if (image === undefined) throw imageNotFound(imageId);
      if (image.state !== "Succeeded") throw imageNotReady(imageId, image.state, image.error);
      const id = newUuid();
      const sealed = credentials === undefined ? null : secrets.seal(JSON.stringify(credentials));
      const input: PushImageInput = { imageId: image.id, reference: name, credentials: sealed };
      // One after the other into one place: the last one asked for is what the tag then means.
      await runner.enqueue({ id, workspaceId, kind: IMAGE_PUSH, input, queue: `image-push:${name}` });
      runner.wake();
      return id;
    },
  };
}
