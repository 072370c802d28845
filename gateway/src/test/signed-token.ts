import { type KeyObject, sign } from "node:crypto";

/** A JWT as the control plane makes them, or with another `alg`. */
export function signedToken(key: KeyObject, claims: Record<string, unknown>, alg = "ES256"): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg, typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
