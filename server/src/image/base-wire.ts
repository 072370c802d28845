import { inRegistry } from "../registry/remote/index.ts";
import type { RegistryCredentials } from "./base-image.ts";

/** A base as callers name it: an image, and beside it perhaps its registry with a login (wire contract 7.1 and 13.1). */
export interface NamedBase {
  readonly image: unknown;
  readonly registry: {
    readonly address: unknown;
    readonly username: unknown;
    readonly password: unknown;
  };
}

/** @returns the whole reference, and the login apart from it: the one is shown to everybody, the other to nobody */
export function readBase({ image, registry }: NamedBase): {
  readonly reference?: string;
  readonly credentials?: RegistryCredentials;
} {
  if (typeof image !== "string" || image === "") return {};
  const { address, username, password } = registry;
  const reference = typeof address === "string" ? inRegistry(address, image) : image;
  const hasLogin = typeof username === "string" && username !== "" && typeof password === "string" && password !== "";
  return { reference, ...(hasLogin && { credentials: { username, password } }) };
}
