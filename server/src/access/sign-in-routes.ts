import { timingSafeEqual } from "node:crypto";
import type { FastifyReply } from "fastify";
import type { Clock } from "../platform/clock.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { clientSecretWrong, tokenAddressUnknown } from "./access-errors.ts";
import type { PrincipalService } from "./principal-service.ts";
import type { Principal, TokenIssuer } from "./token-issuer.ts";

/** `adfs` is the one tenant for which msal asks nobody else (wire contract 2.4). */
const TENANT = "adfs";

export interface SignInDependencies {
  readonly tokens: TokenIssuer;
  readonly principals: PrincipalService;
  readonly publicUrl: string;
  /** the unguessable segment of the managed-identity address: it is the credential */
  readonly identitySecret: string;
  readonly clock: Clock;
}

/** Who holds the managed-identity address: the owner of the data folder. */
export const ownerPrincipal: Principal = { id: "00000000-0000-0000-0000-000000000001", name: "owner" };

/** Cloud metadata, managed identity and service principals: everything before the first token (wire contract, section 2). */
export function signInRoutes(app: HttpApp, deps: SignInDependencies): void {
  const { publicUrl } = deps;
  const seconds = () => Math.floor(deps.clock.now().getTime() / 1000);
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)));
  });

  app.get("/metadata/endpoints", async () => [
    {
      name: "AzureCloud",
      resourceManager: publicUrl,
      portal: publicUrl,
      authentication: { loginEndpoint: `${publicUrl}/`, audiences: [publicUrl] },
      suffixes: {},
    },
  ]);

  async function managedIdentity(secret: string, resource: string) {
    if (!sameText(secret, deps.identitySecret)) throw tokenAddressUnknown();
    const issued = await deps.tokens.issue(ownerPrincipal, resource);
    return {
      access_token: issued.token,
      expires_in: String(issued.expiresOn - seconds()),
      expires_on: String(issued.expiresOn),
      not_before: String(issued.notBefore),
      resource,
      token_type: "Bearer",
    };
  }

  app.post("/msi/:secret/token", async (request) => {
    const { secret } = request.params as { secret: string };
    return managedIdentity(secret, field(request.body, "resource") ?? publicUrl);
  });
  app.get("/msi/:secret/token", async (request) => {
    const { secret } = request.params as { secret: string };
    return managedIdentity(secret, field(request.query, "resource") ?? publicUrl);
  });

  app.get(`/${TENANT}/.well-known/openid-configuration`, async () => ({
    issuer: `${publicUrl}/${TENANT}`,
    authorization_endpoint: `${publicUrl}/${TENANT}/oauth2/v2.0/authorize`,
    token_endpoint: `${publicUrl}/${TENANT}/oauth2/v2.0/token`,
    device_authorization_endpoint: `${publicUrl}/${TENANT}/oauth2/v2.0/devicecode`,
  }));

  app.post(`/${TENANT}/oauth2/v2.0/token`, async (request, reply) => {
    const clientId = field(request.body, "client_id");
    const secret = field(request.body, "client_secret");
    if (field(request.body, "grant_type") !== "client_credentials") {
      return oauthError(
        reply,
        400,
        "unsupported_grant_type",
        "Slipway signs in service principals only (grant_type=client_credentials).",
      );
    }
    try {
      const principal = await deps.principals.signIn(clientId ?? "", secret ?? "");
      const audience = (field(request.body, "scope") ?? publicUrl).replace(/\/\.default$/, "");
      const issued = await deps.tokens.issue(principal, audience);
      const expiresIn = issued.expiresOn - seconds();
      return { token_type: "Bearer", expires_in: expiresIn, ext_expires_in: expiresIn, access_token: issued.token };
    } catch (error) {
      const wrong = clientSecretWrong();
      if ((error as { code?: string }).code === wrong.code)
        return oauthError(reply, 401, "invalid_client", wrong.message);
      throw error;
    }
  });
}

/** RFC 6749, section 5.2. */
function oauthError(reply: FastifyReply, statusCode: number, error: string, description: string) {
  return reply.code(statusCode).send({ error, error_description: description });
}

function field(from: unknown, name: string): string | undefined {
  const value = (from as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
