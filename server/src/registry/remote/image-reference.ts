import { isTag } from "../registry.ts";
import { referenceInvalid } from "./remote-errors.ts";

/** Where an image lies: registry, repository in it, and tag or digest. With both the digest counts. */
export interface ImageReference {
  /** `host` or `host:port`; `docker.io` when the text names none */
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const DEFAULT_HOST = "docker.io";
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
/** Blobs are stored by this digest; images by another one are hardly to be found. */
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_REPOSITORY = 255;

/**
 * Reads an image's name by Docker's rules: the first part is a host only if it has a "." or ":", an upper-case letter, or is
 * `localhost`; a name without host is Docker's own registry, where a name without "/" lies below `library/`.
 *
 * @throws {AppError} ReferenceInvalid
 */
export function parseImageReference(text: string): ImageReference {
  if (text === "" || text !== text.trim()) throw referenceInvalid(text, "it is empty or has spaces around it");
  if (/^[a-z]+:\/\//i.test(text)) throw referenceInvalid(text, "it has no https:// in front");
  if (/^[0-9a-f]{64}$/.test(text))
    throw referenceInvalid(text, "it is an id of a local image, which no registry knows");
  const [named = "", digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) {
    throw referenceInvalid(text, "what follows @ must be sha256: and 64 hex digits");
  }
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const hasHost = first === "localhost" || /[.:A-Z]/.test(first);
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) {
    throw referenceInvalid(text, "a tag has up to 128 letters, digits, _ . and -");
  }
  const host = hasHost ? first.replace(/^index\.docker\.io$/, DEFAULT_HOST) : DEFAULT_HOST;
  if (!HOST.test(host)) throw referenceInvalid(text, `${JSON.stringify(host)} is not a host`);
  const repository = host === DEFAULT_HOST && !path.includes("/") ? `library/${path}` : path;
  if (repository.length > MAX_REPOSITORY || !path.split("/").every((component) => COMPONENT.test(component))) {
    throw referenceInvalid(text, "a repository has lower-case letters and digits, separated by / . _ or -");
  }
  return {
    host,
    repository,
    ...(tag === undefined && digest === undefined ? { tag: "latest" } : {}),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** What the registry is asked for: the digest if there is one, else the tag. */
export function referenceTarget({ tag, digest }: ImageReference): string {
  return digest ?? tag ?? "latest";
}

/** The whole name, with nothing left out. */
export function imageName({ host, repository, tag, digest }: ImageReference): string {
  return `${host}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** Docker's own registry answers at another name than the one in references. */
export function apiHost(host: string): string {
  return host === DEFAULT_HOST ? "registry-1.docker.io" : host;
}

/** An image of the registry at `address`, whether or not `text` already begins with it. */
export function inRegistry(address: string, text: string): string {
  const host = address.replace(/^https?:\/\//i, "").replace(/\/+$/, "");
  return host === "" || text.startsWith(`${host}/`) ? text : `${host}/${text}`;
}
