import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** @throws when the JWK is not a P-256 public key */
export function readTokenKey(jwk: Readonly<Record<string, unknown>>): KeyObject {
  const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("not a P-256 key");
  return key;
}

export type TokenVerdict =
  | { readonly ok: true; readonly expiresAtMs: number }
  | { readonly ok: false; readonly why: string };

/** Checks an ES256 JWT (RFC 7515, 7519): signature, issuer, audience, times. */
export function verifyServiceToken(token: string, key: KeyObject, audience: string, nowMs: number): TokenVerdict {
  const parts = token.split(".");
  const [head, claims, signature] = parts;
  if (parts.length !== 3 || head === undefined || claims === undefined || signature === undefined) {
    return refused("it is not a JWT");
  }
  if (readJson(head)?.alg !== "ES256") return refused("it is not signed with ES256");
  const signed = verify(
    "sha256",
    Buffer.from(`${head}.${claims}`),
    { key, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  if (!signed) return refused("its signature is wrong");
  const { iss, aud, exp, nbf } = readJson(claims) ?? {};
  if (iss !== "slipway") return refused("another issuer made it");
  if (aud !== audience) return refused("it was made for another service");
  if (typeof exp !== "number" || exp * 1000 <= nowMs) return refused("it has expired");
  if (typeof nbf === "number" && nbf * 1000 > nowMs) return refused("it is not valid yet");
  return { ok: true, expiresAtMs: exp * 1000 };
}

function refused(why: string): TokenVerdict {
  return { ok: false, why };
}

function readJson(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
