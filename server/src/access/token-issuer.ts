import { createPublicKey } from "node:crypto";
import {
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
  type JWK,
  errors as joseErrors,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Clock } from "../platform/clock.ts";
import { tokenInvalid } from "./access-errors.ts";

const ALGORITHM = "ES256";
const ISSUER = "slipway";
/** The genuine client asks before every call (wire contract 2.2), so the same token is handed out while it is fresh. */
const TOKEN_SECONDS = 24 * 3_600;
const FRESH_SECONDS = TOKEN_SECONDS / 2;
/** A token outlasts a clock that is set back by less: clocks are corrected, and callers keep their tokens. */
const BACKDATED_SECONDS = 24 * 3_600;

export interface IssuedToken {
  readonly token: string;
  /** epoch seconds */
  readonly notBefore: number;
  readonly expiresOn: number;
}

export interface Principal {
  readonly id: string;
  readonly name: string;
}

/** Makes and checks the tokens of the control plane and of services, with one ES256 key of the installation. */
export interface TokenIssuer {
  readonly tenantId: string;
  /** what the gateway verifies service tokens with */
  readonly publicKey: JWK;
  issue(principal: Principal, audience: string): Promise<IssuedToken>;
  /** @throws {AppError} InvalidAuthenticationToken naming what is wrong */
  verify(token: string): Promise<Principal>;
  /** A token that opens one service at the gateway; `audience` is its base path. */
  issueForService(audience: string, seconds: number): Promise<IssuedToken>;
}

export async function newSigningKey(): Promise<string> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  return exportPKCS8(privateKey);
}

export async function createTokenIssuer(privateKeyPem: string, tenantId: string, clock: Clock): Promise<TokenIssuer> {
  const privateKey = await importPKCS8(privateKeyPem, ALGORITHM, { extractable: true });
  const publicKey = createPublicKey(privateKeyPem);
  const fresh = new Map<string, IssuedToken>();
  const seconds = () => Math.floor(clock.now().getTime() / 1000);

  async function sign(
    subject: string,
    audience: string,
    lifetime: number,
    claims: Record<string, unknown>,
  ): Promise<IssuedToken> {
    const now = seconds();
    const notBefore = now - BACKDATED_SECONDS;
    const expiresOn = now + lifetime;
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM, typ: "JWT" })
      .setIssuer(ISSUER)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(now)
      .setNotBefore(notBefore)
      .setExpirationTime(expiresOn)
      .sign(privateKey);
    return { token, notBefore, expiresOn };
  }

  return {
    tenantId,
    publicKey: await exportJWK(publicKey),
    async issue(principal, audience) {
      const key = JSON.stringify([principal.id, audience]);
      const cached = fresh.get(key);
      const now = seconds();
      if (cached !== undefined && cached.notBefore <= now && cached.expiresOn - now > FRESH_SECONDS) return cached;
      // The audience is the caller's text: without a bound it would be a way to fill the memory.
      if (fresh.size > 1_000) fresh.clear();
      const issued = await sign(principal.id, audience, TOKEN_SECONDS, {
        tid: tenantId,
        oid: principal.id,
        upn: principal.name,
        use: "control",
      });
      fresh.set(key, issued);
      return issued;
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          issuer: ISSUER,
          algorithms: [ALGORITHM],
          currentDate: clock.now(),
          clockTolerance: 60,
        });
        if (payload.use !== "control") throw tokenInvalid("it is a service's token, for scoring only");
        return { id: payload.sub ?? "", name: String(payload.upn ?? payload.sub) };
      } catch (error) {
        if (error instanceof joseErrors.JWTExpired) throw tokenInvalid("it has expired");
        if (error instanceof joseErrors.JWTClaimValidationFailed && error.claim === "nbf")
          throw tokenInvalid("the clock of this server was set back since it was issued");
        if (error instanceof joseErrors.JOSEError)
          throw tokenInvalid("it was not issued by this server, or it is damaged");
        throw error;
      }
    },
    issueForService: (audience, lifetime) => sign("service-caller", audience, lifetime, { use: "score" }),
  };
}
