import { inRegistry, parseImageReference } from "../../registry/remote/index.ts";
import type { RegistryCredentials } from "../image.ts";

/** A base as callers name it: an image, and beside it perhaps its registry with a login (wire contract 7.1 and 13.1). */
export interface NamedBase {
  readonly image: unknown;
  readonly registry: {
    readonly address: unknown;
    readonly username: unknown;
    readonly password: unknown;
  };
}

/**
 * @returns the whole reference, and the login apart from it: the one is shown to everybody, the other to nobody
 * @throws {AppError} ReferenceInvalid
 */
export function readBase({ image, registry }: NamedBase): {
  readonly reference?: string;
  readonly credentials?: RegistryCredentials;
} {
  const { address, username, password } = registry;
  const place = typeof address === "string" ? address : "";
  const reference = typeof image === "string" && image !== "" ? inRegistry(place, image) : undefined;
  const hasLogin = typeof username === "string" && username !== "" && typeof password === "string" && password !== "";
  // Docker steps may name the base instead; the login is for this registry all the same.
  const registryOf = reference ?? (place === "" ? undefined : inRegistry(place, "any"));
  if (!hasLogin || registryOf === undefined) return reference === undefined ? {} : { reference };
  const { host } = parseImageReference(registryOf);
  return { ...(reference !== undefined && { reference }), credentials: { username, password, host } };
}
