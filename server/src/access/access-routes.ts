import { Type } from "typebox";
import type { HttpApp } from "../platform/http/app.ts";
import type { PrincipalService } from "./principal-service.ts";
import type { TokenIssuer } from "./token-issuer.ts";

/** Service principals, for `slipway access` (Slipway's own area; the old client has no call for it). */
export function accessRoutes(
  app: HttpApp,
  deps: { readonly principals: PrincipalService; readonly tokens: TokenIssuer },
): void {
  app.get("/access", async () => ({ value: await deps.principals.list() }));
  app.post("/access", { schema: { body: Type.Object({ name: Type.String() }) } }, async (request) => ({
    ...(await deps.principals.create(request.body.name)),
    tenantId: "adfs",
  }));
  app.delete(
    "/access/:clientId",
    { schema: { params: Type.Object({ clientId: Type.String() }) } },
    async (request, reply) => {
      await deps.principals.revoke(request.params.clientId);
      return reply.code(204).send();
    },
  );
}
