import { hash, type KeyObject, timingSafeEqual } from "node:crypto";
import type { ServiceRoute } from "@slipway/api";
import { credentialMissing, keyWrong, type Refusal, serviceNotOpen, tokenWrong } from "./gateway-errors.ts";
import { verifyServiceToken } from "./service-token.ts";

/** Says why a caller may not use the service, or nothing when he may. */
export type Authorize = (authorization: string | undefined, peer: string | undefined) => Refusal | undefined;

/** A verified ES256 signature costs some 100 µs, so tokens that passed are remembered until they expire. */
const REMEMBERED_TOKENS = 1024;
/** No key or token of ours is longer; hashing more would only serve an attacker. */
const MAX_CREDENTIAL_CHARS = 8192;

export function authorizeFor(route: ServiceRoute, tokenKey: KeyObject | undefined, allowOpen: boolean): Authorize {
  switch (route.auth) {
    case "none": {
      const open = route.open || allowOpen;
      return (_authorization, peer) => (open || isLoopback(peer) ? undefined : serviceNotOpen(route.name));
    }
    case "key":
      return authorizeByKey(route);
    case "token":
      return authorizeByToken(route, tokenKey);
  }
}

function authorizeByKey(route: ServiceRoute): Authorize {
  const keys = route.keyHashes.map(({ salt, hash: digest }) =>
    keyCheck(Buffer.from(salt, "hex"), Buffer.from(digest, "hex")),
  );
  return (authorization) => {
    const key = bearerOf(authorization);
    if (key === undefined) return credentialMissing(route.name, "key");
    const given = Buffer.from(key);
    // Every key is compared, also after a match: the time tells nothing about which one it was.
    const known = keys.filter((check) => check.isKnown(given)).length > 0;
    const right = known || keys.filter((check) => check.isRight(given)).length > 0;
    return right ? undefined : keyWrong(route.name);
  };
}

interface KeyCheck {
  /** is the key that was right before: hashing costs a tenth of what the gateway does for a small request */
  isKnown(given: Buffer): boolean;
  isRight(given: Buffer): boolean;
}

function keyCheck(salt: Buffer, digest: Buffer): KeyCheck {
  let known: Buffer | undefined;
  return {
    isKnown: (given) => known?.length === given.length && timingSafeEqual(known, given),
    isRight(given) {
      const right = timingSafeEqual(hash("sha256", Buffer.concat([salt, given]), "buffer"), digest);
      if (right) known = given;
      return right;
    },
  };
}

function authorizeByToken(route: ServiceRoute, tokenKey: KeyObject | undefined): Authorize {
  const expiryByDigest = new Map<string, number>();
  return (authorization) => {
    const token = bearerOf(authorization);
    if (token === undefined) return credentialMissing(route.name, "token");
    if (tokenKey === undefined) return tokenWrong(route.name, "the gateway has no key to verify it");
    const digest = hash("sha256", token, "base64");
    const now = Date.now();
    if ((expiryByDigest.get(digest) ?? 0) > now) return undefined;
    const verdict = verifyServiceToken(token, tokenKey, route.basePath, now);
    if (!verdict.ok) return tokenWrong(route.name, verdict.why);
    if (expiryByDigest.size >= REMEMBERED_TOKENS) expiryByDigest.clear();
    expiryByDigest.set(digest, verdict.expiresAtMs);
    return undefined;
  };
}

export function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_CREDENTIAL_CHARS) return undefined;
  return /^bearer +(.+)$/i.exec(authorization)?.[1];
}

export function isLoopback(peer: string | undefined): boolean {
  return peer !== undefined && (peer === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(peer));
}
