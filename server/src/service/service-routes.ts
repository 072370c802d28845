import {
  CreateServiceBody,
  JsonPatch,
  RegenerateKeysBody,
  ServiceKeys,
  ServiceListQuery,
  ServiceLogs,
  ServiceLogsQuery,
  ServicePath,
  ServiceReadQuery,
  ServiceToken,
  ValidateServiceBody,
  ValidationAnswer,
  WireService,
  WireServiceList,
} from "@slipway/api";
import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { AppError } from "../platform/errors.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { type Workspace, workspaceOf } from "../workspace/index.ts";
import type { ServiceCredentials } from "./service-credentials.ts";
import { TOKEN_SECONDS } from "./service-defaults.ts";
import { createRequest } from "./service-from-wire.ts";
import { serviceChanges } from "./service-patch.ts";
import type { ServiceService, ServiceView } from "./service-service.ts";
import { type ImageDetails, serviceToWire } from "./service-to-wire.ts";

const DEFAULT_TAIL_LINES = 5_000;

export interface ServiceRoutesDependencies {
  readonly services: ServiceService;
  readonly credentials: ServiceCredentials;
  /** the image as the image room shows it on the wire, with `modelDetails`; undefined when it is gone */
  imageDetails(workspace: Workspace, imageId: string): Promise<ImageDetails | undefined>;
  /** address of an operation (`Operation-Location`) */
  operationUrl(workspace: Workspace, operationId: string): string;
}

/** `services…`, inside a workspace scope of model management (wire contract, sections 9 and 10). */
export function serviceRoutes(app: HttpApp, dependencies: ServiceRoutesDependencies): void {
  const { services, credentials, imageDetails, operationUrl } = dependencies;

  async function toWire(workspace: Workspace, view: ServiceView, expand: boolean) {
    return serviceToWire(view, expand ? await imageDetails(workspace, view.settings.imageId) : undefined);
  }

  app.post("/services", { schema: { body: CreateServiceBody } }, async (request, reply) => {
    const workspace = workspaceOf(request);
    const service = await services.create(workspace.id, createRequest(request.body));
    return reply
      .code(202)
      .header("Operation-Location", operationUrl(workspace, service.operationId ?? ""))
      .send();
  });

  app.get(
    "/services",
    { schema: { querystring: ServiceListQuery, response: { 200: WireServiceList } } },
    async (request) => {
      const workspace = workspaceOf(request);
      const views = await services.list(workspace.id, request.query);
      return { value: await Promise.all(views.map((view) => toWire(workspace, view, true))) };
    },
  );

  app.get(
    "/services/:name",
    { schema: { params: ServicePath, querystring: ServiceReadQuery, response: { 200: WireService } } },
    async (request) => {
      const workspace = workspaceOf(request);
      const view = await services.view(await services.get(workspace.id, request.params.name));
      return toWire(workspace, view, request.query.expand ?? true);
    },
  );

  app.patch("/services/:name", { schema: { params: ServicePath, body: JsonPatch } }, async (request, reply) => {
    const workspace = workspaceOf(request);
    const service = await services.update(workspace.id, request.params.name, serviceChanges(request.body));
    return reply
      .code(202)
      .header("Operation-Location", operationUrl(workspace, service.operationId ?? ""))
      .send(await toWire(workspace, await services.view(service), true));
  });

  app.delete("/services/:name", { schema: { params: ServicePath } }, async (request, reply) => {
    const workspace = workspaceOf(request);
    const operationId = await services.remove(workspace.id, request.params.name);
    if (operationId === undefined) return reply.code(204).send();
    return reply.code(202).header("Operation-Location", operationUrl(workspace, operationId)).send();
  });

  app.get(
    "/services/:name/logs",
    { schema: { params: ServicePath, querystring: ServiceLogsQuery, response: { 200: ServiceLogs } } },
    async (request) => {
      const { tail } = request.query;
      return { content: await services.logs(workspaceOf(request).id, request.params.name, tail ?? DEFAULT_TAIL_LINES) };
    },
  );

  app.post(
    "/services/:name/listkeys",
    { schema: { params: ServicePath, response: { 200: ServiceKeys } } },
    async (request) => {
      const keys = await credentials.keys(workspaceOf(request).id, request.params.name);
      return { primaryKey: keys.Primary, secondaryKey: keys.Secondary };
    },
  );

  app.post(
    "/services/:name/regenerateKeys",
    { schema: { params: ServicePath, body: RegenerateKeysBody } },
    async (request, reply) => {
      const workspace = workspaceOf(request);
      const { keyType, keyValue } = request.body;
      const chosen = keyValue ?? undefined;
      const operationId = await credentials.regenerate(workspace.id, request.params.name, keyType, chosen);
      return reply.code(202).header("Operation-Location", operationUrl(workspace, operationId)).send();
    },
  );

  app.post(
    "/services/:name/token",
    { schema: { params: ServicePath, response: { 200: ServiceToken } } },
    async (request) => {
      const { token, expiresOn } = await credentials.token(workspaceOf(request).id, request.params.name);
      return {
        accessToken: token,
        tokenType: "Bearer",
        refreshAfter: expiresOn - TOKEN_SECONDS / 2,
        expiryOn: expiresOn,
      };
    },
  );

  app.post(
    "/services/validate/name/:name",
    { schema: { params: ServicePath, response: { 200: ValidationAnswer } } },
    async (request) => {
      const workspace = workspaceOf(request);
      return objection(() => services.validateName(workspace.id, request.params.name));
    },
  );

  app.post(
    "/services/validate",
    { schema: { body: ValidateServiceBody, response: { 200: ValidationAnswer } } },
    async (request) => {
      const workspace = workspaceOf(request);
      const { type, serviceName, createRequest: create, updateRequest } = request.body;
      return objection(async () => {
        if (type === "Create") {
          await services.validateCreate(workspace.id, createRequest(parse(CreateServiceBody, "createRequest", create)));
        }
        if (type === "Update") {
          const changes = serviceChanges(parse(JsonPatch, "updateRequest", updateRequest));
          await services.validateUpdate(workspace.id, serviceName ?? "", changes);
        }
      });
    },
  );

  app.post(
    "/services/validate/resource",
    { schema: { body: CreateServiceBody, response: { 200: ValidationAnswer } } },
    async (request) => objection(() => services.validateResources(createRequest(request.body))),
  );
}

/** A check's answer: `{}` or what speaks against it. Trouble of our own is no objection; the call itself will tell. */
async function objection(check: () => Promise<void>): Promise<{ error?: { message: string } }> {
  try {
    await check();
    return {};
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === "internal" || error.kind === "unavailable") throw error;
    return { error: { message: error.message } };
  }
}

function parse<Schema extends TSchema>(schema: Schema, name: string, value: unknown) {
  if (Value.Check(schema, value)) return value;
  const [problem] = Value.Errors(schema, value);
  throw new AppError({
    code: "InvalidRequest",
    kind: "invalid",
    message: `${name}${problem?.instancePath.replaceAll("/", ".") ?? ""} ${problem?.message ?? "is missing"}.`,
  });
}
