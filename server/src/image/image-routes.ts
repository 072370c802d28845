import { CreateImageRequest, JsonPatch, ListImagesQuery, WireImage, WireImagePage } from "@slipway/api";
import { Type } from "typebox";
import type { Model, ModelReader } from "../model/index.ts";
import type { DescribeOperation } from "../operation/index.ts";
import { ifFound } from "../platform/errors.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { type Workspace, workspaceOf, workspaceResourceId } from "../workspace/index.ts";
import type { BuildImageInput } from "./build-image.operation.ts";
import type { Image } from "./image.ts";
import { imagePatchInvalid } from "./image-errors.ts";
import type { ImageChanges, ImageService } from "./image-service.ts";
import type { StoredImage } from "./image-store.ts";
import { buildLogUrl, toImageRequest, toWireImage } from "./image-wire.ts";

export interface ImageRoutesDependencies {
  readonly images: ImageService;
  readonly models: ModelReader;
  /** a model as `GET models/ID` answers it */
  toWireModel(model: Model): unknown;
  readonly publicUrl: string;
}

/** The genuine client follows every page, so a page is large. */
const PAGE_SIZE = 200;

const ImagePath = Type.Object({ id: Type.String({ maxLength: 300 }) });
const ReadImageQuery = Type.Object({ expand: Type.Optional(Type.String()) });
/** Images inside a workspace scope of model management (wire contract, section 7). */
export function imageRoutes(app: HttpApp, deps: ImageRoutesDependencies): void {
  const { images } = deps;

  async function toWire(image: Image, expand: boolean) {
    const links = { location: await images.location(image), publicUrl: deps.publicUrl };
    return toWireImage(image, links, expand ? await modelDetails(deps, image) : undefined);
  }

  app.post(
    "/images",
    { schema: { body: CreateImageRequest, response: { 202: WireImage } } },
    async (request, reply) => {
      const workspace = workspaceOf(request);
      const image = await images.create(workspace.id, toImageRequest(request.body));
      const location = `${deps.publicUrl}/modelmanagement/v1.0${workspaceResourceId(workspace)}/operations/${image.operationId}`;
      return reply
        .code(202)
        .header("Operation-Location", location)
        .send(await toWire(image, false));
    },
  );

  app.get(
    "/images",
    { schema: { querystring: ListImagesQuery, response: { 200: WireImagePage } } },
    async (request) => {
      const { name, version, modelId, modelName, tags, properties, orderBy, count, expand, $skipToken } = request.query;
      const oldestFirst = orderBy?.toLowerCase() === "createdatasc";
      const found = await images.list(workspaceOf(request).id, {
        name,
        version: version === undefined ? undefined : Number(version),
        modelId,
        modelName,
        oldestFirst,
      });
      const matching = found.filter((image) => hasAll(image.tags, tags) && hasAll(image.properties, properties));
      const left = $skipToken === undefined ? matching : after(matching, Number($skipToken), oldestFirst);
      const page = left.slice(0, Math.min(count ?? PAGE_SIZE, PAGE_SIZE));
      const last = page.at(-1);
      const more = count === undefined && last !== undefined && page.length < left.length;
      return {
        value: await Promise.all(page.map((image) => toWire(image, isTrue(expand)))),
        // Absent on the last page: the genuine client follows a null (wire contract 7.3).
        ...(more ? { nextLink: nextLink(deps.publicUrl, request.url, last.sequence) } : {}),
      };
    },
  );

  app.get(
    "/images/:id",
    { schema: { params: ImagePath, querystring: ReadImageQuery, response: { 200: WireImage } } },
    async (request) =>
      toWire(await images.get(workspaceOf(request).id, request.params.id), isTrue(request.query.expand)),
  );

  app.patch(
    "/images/:id",
    { schema: { params: ImagePath, body: JsonPatch, response: { 200: WireImage } } },
    async (request) =>
      toWire(await images.update(workspaceOf(request).id, request.params.id, toChanges(request.body)), false),
  );

  app.delete("/images/:id", { schema: { params: ImagePath } }, async (request) => {
    await images.delete(workspaceOf(request).id, request.params.id);
    return {};
  });
}

/** Build log and Dockerfile, opened without a token: the address is the secret. */
export function imageLinkRoutes(app: HttpApp, deps: Pick<ImageRoutesDependencies, "images">): void {
  const params = Type.Object({ secret: Type.String({ minLength: 20, maxLength: 100 }) });
  app.get("/links/images/:secret/build.log", { schema: { params } }, async (request, reply) =>
    reply.type("text/plain; charset=utf-8").send(await deps.images.buildLog(request.params.secret)),
  );
  app.get("/links/images/:secret/Dockerfile", { schema: { params } }, async (request, reply) =>
    reply.type("text/plain; charset=utf-8").send(await deps.images.dockerfile(request.params.secret)),
  );
}

/** What `GET operations/ID` says of a build: the image's address is known from the first read on (wire contract 7.2). */
export function describeImageBuild(publicUrl: string): DescribeOperation {
  return async (operation, workspace: Workspace) => {
    const { imageId, linkSecret } = operation.input as BuildImageInput;
    return {
      operationType: "Image",
      resourceLocation: `${workspaceResourceId(workspace).slice(1)}/images/${imageId}`,
      operationLog: buildLogUrl(publicUrl, linkSecret),
      subOperationType: "BuildImage",
      answerFirstReadAtOnce: true,
    };
  };
}

/** A model that was deleted since is left out: images keep their own copy. */
async function modelDetails(deps: ImageRoutesDependencies, image: Image): Promise<unknown[]> {
  const found = await Promise.all(image.modelIds.map((id) => ifFound(deps.models.get(image.workspaceId, id))));
  return found.filter((model) => model !== undefined).map(deps.toWireModel);
}

/** `k=v,k2`: all must hold; `k` alone means that the key exists (wire contract 6.2). */
function hasAll(values: Readonly<Record<string, string>>, filter: string | undefined): boolean {
  return (filter ?? "")
    .split(",")
    .filter((term) => term !== "")
    .every((term) => {
      const equals = term.indexOf("=");
      const key = equals === -1 ? term : term.slice(0, equals);
      return Object.hasOwn(values, key) && (equals === -1 || values[key] === term.slice(equals + 1));
    });
}

/** What comes after the last image shown. Its place stays, while positions move when images come and go. */
function after(images: readonly StoredImage[], sequence: number, oldestFirst: boolean): StoredImage[] {
  return images.filter((image) => (oldestFirst ? image.sequence > sequence : image.sequence < sequence));
}

function nextLink(publicUrl: string, address: string, after: number): string {
  const next = new URL(address, publicUrl);
  next.searchParams.set("$skipToken", String(after));
  return next.toString();
}

const isTrue = (text: string | undefined) => text?.toLowerCase() === "true";

/** The patches that v1 has: tags as a whole, properties to be added (wire contract 7.3). */
function toChanges(patch: readonly { op: string; path: string; value?: unknown }[]): ImageChanges {
  const changes: { tags?: Image["tags"]; properties?: Image["properties"]; description?: string | null } = {};
  for (const { op, path, value } of patch) {
    if (op !== "replace" && op !== "add") throw imagePatchInvalid(path);
    if (path === "/kvTags") changes.tags = texts(path, value);
    else if (path === "/properties") changes.properties = { ...changes.properties, ...texts(path, value) };
    else if (path === "/description" && (value === null || typeof value === "string")) changes.description = value;
    else throw imagePatchInvalid(path);
  }
  return changes;
}

function texts(path: string, value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw imagePatchInvalid(path);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (item !== null && typeof item !== "string") throw imagePatchInvalid(`${path}/${key}`);
      return [key, item ?? ""];
    }),
  );
}
