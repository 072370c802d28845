import { ImportImageRequest, WireImage } from "@slipway/api";
import type { DescribeOperation } from "../../operation/index.ts";
import type { HttpApp } from "../../platform/http/app.ts";
import { workspaceOf, workspaceResourceId } from "../../workspace/index.ts";
import type { ImageService } from "../image-service.ts";
import { buildLogUrl, toWireImage } from "../image-wire.ts";
import type { ImageImporter } from "./image-import.ts";
import type { ImportImageInput } from "./import-image.operation.ts";

export interface ImageImportRoutesDependencies {
  readonly images: Pick<ImageService, "location">;
  readonly imageImporter: ImageImporter;
  readonly publicUrl: string;
}

/** Images out of registries elsewhere. Inside a workspace of `/slipway/v1`. */
export function imageImportRoutes(app: HttpApp, deps: ImageImportRoutesDependencies): void {
  const { images, imageImporter, publicUrl } = deps;
  app.post(
    "/images/import",
    { schema: { body: ImportImageRequest, response: { 202: WireImage } } },
    async (request, reply) => {
      const workspace = workspaceOf(request);
      const { username, password, ...wanted } = request.body;
      const credentials = username === undefined || password === undefined ? undefined : { username, password };
      const image = await imageImporter.import(workspace.id, { ...wanted, credentials });
      const operation = `${publicUrl}/modelmanagement/v1.0${workspaceResourceId(workspace)}/operations/${image.operationId}`;
      return reply
        .code(202)
        .header("Operation-Location", operation)
        .send(toWireImage(image, { location: await images.location(image), publicUrl }));
    },
  );
}

export function describeImageImport(publicUrl: string): DescribeOperation {
  return async (operation, workspace) => {
    const { imageId, linkSecret } = operation.input as ImportImageInput;
    return {
      operationType: "Image",
      resourceLocation: `${workspaceResourceId(workspace).slice(1)}/images/${imageId}`,
      operationLog: buildLogUrl(publicUrl, linkSecret),
      subOperationType: "ImportImage",
      answerFirstReadAtOnce: true,
    };
  };
}
