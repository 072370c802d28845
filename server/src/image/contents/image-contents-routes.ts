import {
  CodeFileQuery,
  CompareImagesQuery,
  RebuildImageRequest,
  WireImage,
  WireImageComparison,
  WireImageContents,
} from "@slipway/api";
import { Type } from "typebox";
import type { HttpApp } from "../../platform/http/app.ts";
import { workspaceOf, workspaceResourceId } from "../../workspace/index.ts";
import type { ImageService } from "../image-service.ts";
import { toWireImage } from "../image-wire.ts";
import { toWireComparison, toWireContents } from "./image-contents-wire.ts";
import type { ImageInspector } from "./image-inspector.ts";

export interface ImageContentsRoutesDependencies {
  readonly images: Pick<ImageService, "location" | "rebuild">;
  readonly inspector: ImageInspector;
  readonly publicUrl: string;
}

const ImagePath = Type.Object({ id: Type.String({ maxLength: 300 }) });
const ProofPath = Type.Object({
  ...ImagePath.properties,
  type: Type.Union([Type.Literal("lock"), Type.Literal("sbom"), Type.Literal("provenance")]),
});

/** What Azure ML never had: looking into images, comparing them, building them again. Inside a workspace of `/slipway/v1`. */
export function imageContentsRoutes(app: HttpApp, deps: ImageContentsRoutesDependencies): void {
  const { images, inspector, publicUrl } = deps;

  app.get(
    "/images/:id/contents",
    { schema: { params: ImagePath, response: { 200: WireImageContents } } },
    async (request) => toWireContents(await inspector.contents(workspaceOf(request).id, request.params.id)),
  );

  app.get(
    "/images/:id/comparison",
    { schema: { params: ImagePath, querystring: CompareImagesQuery, response: { 200: WireImageComparison } } },
    async (request) =>
      toWireComparison(await inspector.compare(workspaceOf(request).id, request.params.id, request.query.to)),
  );

  app.get("/images/:id/code", { schema: { params: ImagePath, querystring: CodeFileQuery } }, async (request, reply) => {
    const file = await inspector.codeFile(workspaceOf(request).id, request.params.id, request.query.path);
    return reply.type("application/octet-stream").send(file);
  });

  app.get("/images/:id/proofs/:type", { schema: { params: ProofPath } }, async (request, reply) => {
    const { id, type } = request.params;
    const { mediaType, document } = await inspector.proof(workspaceOf(request).id, id, type);
    return reply.type(mediaType).send(document);
  });

  app.post(
    "/images/:id/rebuild",
    { schema: { params: ImagePath, body: RebuildImageRequest, response: { 202: WireImage } } },
    async (request, reply) => {
      const workspace = workspaceOf(request);
      const { upgrade = false } = request.body;
      const image = await images.rebuild(workspace.id, request.params.id, { upgrade });
      const operation = `${publicUrl}/modelmanagement/v1.0${workspaceResourceId(workspace)}/operations/${image.operationId}`;
      return reply
        .code(202)
        .header("Operation-Location", operation)
        .send(toWireImage(image, { location: await images.location(image), publicUrl }));
    },
  );
}
