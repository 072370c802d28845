import type { HttpApp } from "../platform/http/app.ts";
import { tokenInvalid, tokenMissing } from "./access-errors.ts";
import type { PrincipalService } from "./principal-service.ts";
import { ownerPrincipal } from "./sign-in-routes.ts";
import type { TokenIssuer } from "./token-issuer.ts";

/** Every route of this scope needs a bearer token of this server; a revoked principal's tokens end at once. */
export function requireToken(app: HttpApp, tokens: TokenIssuer, principals: PrincipalService): void {
  app.addHook("onRequest", async (request) => {
    const header = request.headers.authorization;
    const token = /^Bearer (\S+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw tokenMissing();
    const principal = await tokens.verify(token);
    if (principal.id !== ownerPrincipal.id && !(await principals.isActive(principal.id))) {
      throw tokenInvalid("its service principal was revoked");
    }
  });
}
