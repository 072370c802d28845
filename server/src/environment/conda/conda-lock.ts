import { condaChannelInvalid } from "../environment-errors.ts";

/** One exact package of a conda environment. */
export interface CondaPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  /** without credentials */
  readonly url: string;
  /** which hash the channel gives: md5 only where it has nothing better */
  readonly hashKind: "sha256" | "md5";
  readonly hash: string;
  /** bytes, if the channel tells them */
  readonly size: number | null;
  /** where this Python looks for packages, if it is not where all do */
  readonly sitePackages: string | null;
}

/** A package as the solver gave it: parsed from what a channel says, hence not to be trusted. */
export interface SolvedPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly url: string;
  readonly sha256: string | null;
  readonly md5: string | null;
  readonly size: number | null;
  readonly sitePackages: string | null;
}

const FILE = /^[a-z0-9_][\w.+!-]*\.(conda|tar\.bz2)$/i;
const SUBDIR = /^[a-z0-9-]+$/;
const SITE_PACKAGES = /^lib\/python3\.\d+t?\/site-packages$/;

/** @throws {AppError} CondaChannelInvalid: an address or a hash that cannot be one */
export function checkedPackage(solved: SolvedPackage): CondaPackage {
  const { name, version, build, size, sitePackages } = solved;
  const invalid = (problem: string) => condaChannelInvalid(`${name} ${version} ${problem}`);
  const url = URL.parse(solved.url);
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid("has no http or https address");
  url.username = "";
  url.password = "";
  url.hash = "";
  const [subdir = "", file = ""] = url.pathname.split("/").slice(-2);
  if (!SUBDIR.test(subdir) || !FILE.test(decodeURIComponent(file))) throw invalid("has no file name of a package");
  const hash = solved.sha256 ?? solved.md5;
  const hashKind = solved.sha256 === null ? "md5" : "sha256";
  if (hash === null) throw invalid("has no hash");
  if (!(hashKind === "md5" ? /^[0-9a-f]{32}$/ : /^[0-9a-f]{64}$/).test(hash)) throw invalid("has no usable hash");
  if (sitePackages !== null && !SITE_PACKAGES.test(sitePackages)) throw invalid("has a folder that cannot be used");
  return { name, version, build, url: url.href, hashKind, hash, size, sitePackages };
}

/** `linux-64` of `https://…/linux-64/numpy-1.26.4-py311_0.conda` */
export function subdirOf({ url }: CondaPackage): string {
  return new URL(url).pathname.split("/").at(-2) ?? "";
}

export function fileNameOf({ url }: CondaPackage): string {
  return decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
}

/**
 * The list of exact addresses that conda, mamba and micromamba install from (`@EXPLICIT`, CEP 23), sorted by name, with
 * `#sha256:` and the hash behind each address, or the bare md5 where a channel has nothing better.
 */
export function formatCondaLock(subdir: string, packages: readonly CondaPackage[]): string {
  const lines = packages.map(({ url, hashKind, hash }) => `${url}#${hashKind === "sha256" ? "sha256:" : ""}${hash}`);
  return [`# platform: ${subdir}`, "@EXPLICIT", ...lines, ""].join("\n");
}
