import { PushImageRequest } from "@slipway/api";
import { Type } from "typebox";
import type { DescribeOperation } from "../operation/index.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { workspaceOf, workspaceResourceId } from "../workspace/index.ts";
import type { ImagePusher } from "./image-push.ts";
import type { PushImageInput } from "./push-image.operation.ts";

export interface ImagePushRoutesDependencies {
  readonly imagePusher: ImagePusher;
  readonly publicUrl: string;
}

const ImagePath = Type.Object({ id: Type.String({ maxLength: 300 }) });

/** Copies of images in registries elsewhere. Inside a workspace of `/slipway/v1`. */
export function imagePushRoutes(app: HttpApp, deps: ImagePushRoutesDependencies): void {
  app.post("/images/:id/push", { schema: { params: ImagePath, body: PushImageRequest } }, async (request, reply) => {
    const workspace = workspaceOf(request);
    const { reference, username, password } = request.body;
    const credentials = username === undefined || password === undefined ? undefined : { username, password };
    const id = await deps.imagePusher.push(workspace.id, request.params.id, reference, credentials);
    const operation = `${deps.publicUrl}/modelmanagement/v1.0${workspaceResourceId(workspace)}/operations/${id}`;
    return reply.code(202).header("Operation-Location", operation).send({});
  });
}

export const describeImagePush: DescribeOperation = async (operation, workspace) => ({
  operationType: "Image",
  resourceLocation: `${workspaceResourceId(workspace).slice(1)}/images/${(operation.input as PushImageInput).imageId}`,
  subOperationType: "PushImage",
});
