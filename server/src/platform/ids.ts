import { randomBytes, randomUUID } from "node:crypto";

/** A UUID, for everything the wire expects one for. */
export function newUuid(): string {
  return randomUUID();
}

/** 32 hex digits, as v1's asset ids. */
export function newHexId(): string {
  return randomUUID().replaceAll("-", "");
}

/** A short id for folders and sockets: ten letters and digits, about 50 bits, no letter that looks like another. */
export function newShortId(): string {
  const alphabet = "23456789abcdefghjkmnpqrstuvwxyz";
  return Array.from(randomBytes(10), (byte) => alphabet[byte % alphabet.length]).join("");
}

/** A secret of 256 bits for addresses, keys and nonces. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}
