import type { FastifyReply, FastifyRequest } from "fastify";
import type { HttpApp } from "../platform/http/app.ts";
import { pullHandlers } from "./pull-handlers.ts";
import { pushHandlers } from "./push-handlers.ts";
import { isRepositoryPath } from "./registry.ts";
import { answerErrors } from "./registry-answers.ts";
import { methodUnsupported, nameInvalid, nameUnknown, registryUnauthorized } from "./registry-errors.ts";
import { parseRegistryPath, type RegistryResource } from "./registry-path.ts";
import type { Place, RegistryDependencies } from "./registry-request.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
type Method = (typeof METHODS)[number];

/** The OCI distribution specification 1.1, below `/v2/`. */
export function registryRoutes(app: HttpApp, deps: RegistryDependencies): void {
  void app.register(async (scope) => routes(scope as HttpApp, deps), { prefix: "/v2" });
}

function routes(app: HttpApp, deps: RegistryDependencies): void {
  const pull = pullHandlers(deps.registry);
  const push = pushHandlers(deps);
  // Bodies are streamed by the handlers, whatever their media type says.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  answerErrors(app, deps.log);
  app.addHook("onRequest", async (_request, reply) => {
    reply.header("Docker-Distribution-API-Version", "registry/2.0");
  });

  app.route({
    method: ["GET", "HEAD"],
    url: "/",
    handler: async (request, reply) => {
      await signIn(request, undefined);
      return reply.send({});
    },
  });

  app.get("/_catalog", async (request, reply) => {
    const { workspaceId, namespace } = await signIn(request, undefined);
    return pull.repositories(reply, workspaceId, namespace);
  });

  app.route({
    method: [...METHODS],
    url: "/*",
    handler: async (request, reply) => {
      const parsed = parseRegistryPath(request.url.split("?")[0]?.slice("/v2/".length) ?? "");
      if (parsed === undefined) {
        await signIn(request, undefined);
        throw nameUnknown(request.url.split("?")[0] ?? "");
      }
      const place = await placeOf(request, parsed.name);
      return answer(request, reply, place, parsed.resource);
    },
  });

  async function answer(request: FastifyRequest, reply: FastifyReply, place: Place, resource: RegistryResource) {
    const method = request.method as Method;
    const reads = method === "GET" || method === "HEAD";
    switch (resource.type) {
      case "manifest":
        if (reads) return pull.manifest(request, reply, place, resource.reference);
        if (method === "PUT") return push.putManifest(request, reply, place, resource.reference);
        if (method === "DELETE") return push.removeManifest(reply, place, resource.reference);
        break;
      case "blob":
        if (reads) return pull.blob(request, reply, place, resource.digest);
        if (method === "DELETE") return push.removeBlob(reply, place, resource.digest);
        break;
      case "uploads":
        if (method === "POST") return push.begin(request, reply, place);
        break;
      case "upload":
        if (reads) return push.status(reply, place, resource.id);
        if (method === "PATCH") return push.append(request, reply, place, resource.id);
        if (method === "PUT") return push.finish(request, reply, place, resource.id);
        if (method === "DELETE") return push.cancel(reply, place, resource.id);
        break;
      case "tags":
        if (reads) return pull.tags(request, reply, place);
        break;
      case "referrers":
        if (reads) return pull.referrers(request, reply, place, resource.digest);
        break;
      default:
        return resource satisfies never;
    }
    throw methodUnsupported(method);
  }

  async function placeOf(request: FastifyRequest, path: string): Promise<Place> {
    const slash = path.indexOf("/");
    const [namespace, name] = slash === -1 ? [path, ""] : [path.slice(0, slash), path.slice(slash + 1)];
    const { workspaceId } = await signIn(request, namespace);
    if (!isRepositoryPath(path) || name === "") throw nameInvalid(path);
    return { repository: { workspaceId, name }, namespace, path };
  }

  async function signIn(request: FastifyRequest, namespace: string | undefined) {
    const credentials = basicCredentials(request.headers.authorization);
    const account = credentials && (await deps.verify(namespace, credentials.username, credentials.password));
    if (account === undefined) throw registryUnauthorized();
    return account;
  }
}

function basicCredentials(header: string | undefined): { username: string; password: string } | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=_-]+)$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  const colon = text.indexOf(":");
  return colon === -1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
