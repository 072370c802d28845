import { DEFAULT_CIPHERS } from "node:tls";
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyInstance } from "fastify";

/** Bodies of calls; files have an address of their own without this limit. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Of the two that every client has, the one that takes less of the processor comes first: models and images are large. */
const CIPHERS = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`;

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An HTTPS application without routes. Paths match in any case: the genuine client writes `resourceGroups` in two ways. */
export function createHttpApp(certificate?: ServerCertificate) {
  const options = {
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { caseSensitive: false, maxParamLength: 2_000, ignoreTrailingSlash: true },
    // Longer than the genuine client's pauses between polls, so that its connections are not reset under it.
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
  } as const;
  const app = (certificate === undefined
    ? Fastify(options)
    : Fastify({
        ...options,
        https: { ...certificate, minVersion: "TLSv1.2" as const, ciphers: CIPHERS },
      })) as unknown as FastifyInstance;
  // The genuine client sends JSON under several media types, and POSTs that announce JSON but have no body.
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser(
    ["application/json", "application/json-patch+json", "text/json"],
    { parseAs: "string" },
    (_request, body, done) => {
      if (body.length === 0) return done(null, undefined);
      try {
        return done(null, JSON.parse(body as string));
      } catch (error) {
        return done(
          Object.assign(new Error(`The body is not JSON: ${(error as Error).message}`), { statusCode: 400 }),
          undefined,
        );
      }
    },
  );
  return app.setValidatorCompiler(TypeBoxValidatorCompiler).withTypeProvider<TypeBoxTypeProvider>();
}

export type HttpApp = ReturnType<typeof createHttpApp>;
