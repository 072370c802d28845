import { createHash, randomBytes } from "node:crypto";
import { newSecret } from "../platform/ids.ts";
import type { SecretBox } from "../secret/index.ts";
import { keyInvalid } from "./service-errors.ts";
import type { KeyKind, StoredKey } from "./service-store.ts";

/** What fits into an Authorization header without being changed on the way. */
const KEY_PATTERN = /^[\x21-\x7e]{8,256}$/;

/** @throws {AppError} ServiceKeyInvalid */
export function checkKey(member: string, value: string): void {
  if (!KEY_PATTERN.test(value)) throw keyInvalid(member);
}

/** A key for storing: the chosen value or a new one of 256 random bits, which is why a fast hash protects it. */
export function makeKey(secrets: SecretBox, kind: KeyKind, chosen?: string): StoredKey {
  const value = chosen ?? newSecret();
  const salt = randomBytes(16);
  const hash = createHash("sha256").update(salt).update(value, "utf8").digest("hex");
  return { kind, sealed: secrets.seal(value), salt: salt.toString("hex"), hash };
}
