import { ownArchitecture } from "../platform/architecture.ts";

const NAMES: ReadonlyMap<string, string> = new Map([
  ["amd64", "amd64"],
  ["x64", "amd64"],
  ["x86_64", "amd64"],
  ["arm64", "arm64"],
  ["arm64v8", "arm64"],
  ["aarch64", "arm64"],
]);

export interface ArchitectureChoice {
  /** as OCI names it */
  readonly architecture: string;
  /** whether it is what was asked for */
  readonly exact: boolean;
}

/**
 * What an image is made for. The genuine client says `amd64` whether somebody wants that or not (wire contract 7.1), so this alone
 * means "where it is built"; `linux/amd64` means it.
 */
export function architectureOf(wanted: string, own: string = ownArchitecture()): ArchitectureChoice {
  const explicit = wanted.toLowerCase().startsWith("linux/");
  const name = NAMES.get(wanted.toLowerCase().replace(/^linux\//, ""));
  if (name === undefined || (name === "amd64" && !explicit)) return { architecture: own, exact: name === own };
  return { architecture: name, exact: true };
}
