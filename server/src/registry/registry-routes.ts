import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { AppError, toAppError } from "../platform/errors.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { statusOf } from "../platform/http/error-handler.ts";
import { newUuid } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { isDigest, isRepositoryName, isTag, type Repository } from "./registry.ts";
import {
  blobUnknown,
  digestInvalid,
  manifestUnknown,
  nameUnknown,
  pushUnsupported,
  rangeInvalid,
  registryUnauthorized,
} from "./registry-errors.ts";
import type { Content, Registry } from "./registry-service.ts";

export interface RegistryDependencies {
  readonly registry: Registry;
  readonly log: Log;
  /**
   * Checks registry credentials.
   *
   * @param namespace first part of the repository path (`registryNamespace(workspace.name)`); undefined when any workspace will do
   * @returns the id of the workspace that has this namespace and these credentials
   */
  verify(namespace: string | undefined, username: string, password: string): Promise<string | undefined>;
}

const TagsQuery = Type.Object({ n: Type.Optional(Type.Integer({ minimum: 0 })), last: Type.Optional(Type.String()) });

/** The read half of the OCI distribution specification, below `/v2/`. */
export function registryRoutes(app: HttpApp, deps: RegistryDependencies): void {
  void app.register(async (scope) => pullRoutes(scope as HttpApp, deps), { prefix: "/v2" });
}

function pullRoutes(app: HttpApp, deps: RegistryDependencies): void {
  const { registry } = deps;
  answerErrors(app, deps.log);
  app.addHook("onSend", async (_request, reply) => {
    reply.header("Docker-Distribution-API-Version", "registry/2.0");
  });

  app.get("/", async (request) => {
    await workspaceFor(request, undefined);
    return {};
  });

  app.get("/:namespace/:name/tags/list", { schema: { querystring: TagsQuery } }, async (request) => {
    const { repository, path } = await repositoryOf(request);
    const { n, last } = request.query;
    const tags = await registry.tagPage(repository, { after: last, limit: n });
    if (tags === undefined) throw nameUnknown(path);
    return { name: path, tags };
  });

  app.route({
    method: ["GET", "HEAD"],
    url: "/:namespace/:name/manifests/:reference",
    handler: async (request, reply) => {
      const { repository, path } = await repositoryOf(request);
      const { reference } = request.params as { reference: string };
      const known = isDigest(reference) || isTag(reference);
      const manifest = known ? await registry.findManifest(repository, reference) : undefined;
      if (manifest === undefined) throw manifestUnknown(reference, path);
      return send(request, reply, manifest, manifest.mediaType);
    },
  });

  app.route({
    method: ["GET", "HEAD"],
    url: "/:namespace/:name/blobs/:digest",
    handler: async (request, reply) => {
      const { repository, path } = await repositoryOf(request);
      const { digest } = request.params as { digest: string };
      if (!isDigest(digest)) throw digestInvalid(digest);
      const blob = await registry.findBlob(repository, digest);
      if (blob === undefined) throw blobUnknown(digest, path);
      return send(request, reply, blob, "application/octet-stream");
    },
  });

  app.route({
    method: ["POST", "PUT", "PATCH", "DELETE"],
    url: "/*",
    handler: async (request) => {
      await workspaceFor(request, undefined);
      throw pushUnsupported();
    },
  });

  async function repositoryOf(request: FastifyRequest): Promise<{ repository: Repository; path: string }> {
    const { namespace, name } = request.params as { namespace: string; name: string };
    const path = `${namespace}/${name}`;
    const workspaceId = await workspaceFor(request, namespace);
    if (!isRepositoryName(name)) throw nameUnknown(path);
    return { repository: { workspaceId, name }, path };
  }

  async function workspaceFor(request: FastifyRequest, namespace: string | undefined): Promise<string> {
    const credentials = basicCredentials(request.headers.authorization);
    const workspaceId = credentials && (await deps.verify(namespace, credentials.username, credentials.password));
    if (workspaceId === undefined) throw registryUnauthorized();
    return workspaceId;
  }
}

function basicCredentials(header: string | undefined): { username: string; password: string } | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=_-]+)$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  const colon = text.indexOf(":");
  return colon === -1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function send(request: FastifyRequest, reply: FastifyReply, content: Content, mediaType: string): FastifyReply {
  reply.header("Docker-Content-Digest", content.digest);
  reply.header("ETag", `"${content.digest}"`);
  reply.header("Accept-Ranges", "bytes");
  reply.type(mediaType);
  const range = rangeOf(request.headers.range, content);
  if (range !== undefined) reply.code(206).header("Content-Range", `bytes ${range.start}-${range.end}/${content.size}`);
  reply.header("Content-Length", range === undefined ? content.size : range.end - range.start + 1);
  return request.method === "HEAD"
    ? reply.send()
    : reply.send(Readable.from(content.read(range), { objectMode: false }));
}

/** One range of bytes; several at once, or another unit, are answered with the whole (RFC 9110, 14.2). */
function rangeOf(header: string | undefined, content: Content): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const [, first = "", last = ""] = match;
  const start = first === "" ? Math.max(0, content.size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? content.size - 1 : Math.min(Number(last), content.size - 1);
  if (start > end) throw rangeInvalid(content.size);
  return { start, end };
}

/** OCI distribution specification, "Error codes". A push answers 405, and 416 belongs to ranges; the rest is by kind. */
function answerErrors(app: HttpApp, log: Log): void {
  const answer = (reply: FastifyReply, status: number, error: AppError) => {
    reply.removeHeader("Content-Length").removeHeader("Content-Range");
    if (status === 401) reply.header("WWW-Authenticate", 'Basic realm="Slipway registry", charset="UTF-8"');
    return reply
      .code(status)
      .type("application/json")
      .send({ errors: [{ code: error.code, message: error.message, detail: null }] });
  };
  app.setErrorHandler((thrown: unknown, request, reply) => {
    const error = toAppError(thrown);
    if (error.kind === "internal") {
      const requestId = newUuid();
      log.error("registry request failed", { requestId, url: request.url, error: error.cause ?? error });
      const message = `The registry failed; the server's log has the cause under id ${requestId}.`;
      return answer(reply, 500, new AppError({ code: "UNKNOWN", kind: "internal", message }));
    }
    const status = error.code === "UNSUPPORTED" ? 405 : error.code === "RANGE_INVALID" ? 416 : statusOf(error);
    return answer(reply, status, error);
  });
  app.setNotFoundHandler((request, reply) => answer(reply, 404, nameUnknown(request.url.split("?")[0] ?? "")));
}
