import { arch } from "node:os";

/** This machine's processor, as OCI names it: `amd64`, `arm64`. */
export function ownArchitecture(): string {
  return arch() === "x64" ? "amd64" : arch();
}
