import { artifactIdInvalid, artifactPathInvalid } from "./artifact-errors.ts";

const MAX_PATH_CHARACTERS = 1024;
/** what common file systems allow for one name */
const MAX_SEGMENT_BYTES = 255;
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
const CONTAINER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const URI_SCHEME = "aml://artifact/";

/** Where artifacts are looked for: one file, or everything below a folder. `path` is empty for the whole container. */
export interface ArtifactPlace {
  readonly origin: string;
  readonly container: string;
  readonly path: string;
}

export function artifactId(place: ArtifactPlace): string {
  return place.path === "" ? `${place.origin}/${place.container}` : `${place.origin}/${place.container}/${place.path}`;
}

/**
 * A path that is safe to make a file of, on any machine, below a folder of our choice.
 *
 * @throws {AppError} ArtifactPathInvalid
 */
export function checkArtifactPath(path: string): string {
  const reason = badPath(path);
  if (reason !== undefined) throw artifactPathInvalid(path, reason);
  return path;
}

function badPath(path: string): string | undefined {
  if (path.length === 0) return "is empty";
  if (path.length > MAX_PATH_CHARACTERS) return `is longer than ${MAX_PATH_CHARACTERS} characters`;
  if (!path.isWellFormed()) return "is not well-formed Unicode";
  if (CONTROL_CHARACTER.test(path)) return "has a control character in it";
  if (path.includes("\\")) return 'has a "\\" in it; folders are separated by "/"';
  if (path.startsWith("/")) return "is absolute";
  for (const segment of path.split("/")) {
    if (segment === "") return 'has an empty folder name ("//" or a "/" at its end)';
    if (segment === "." || segment === "..") return `has the folder name "${segment}" in it`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `has a name longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** @throws {AppError} ArtifactPathInvalid */
export function checkContainer(origin: string, container: string): void {
  for (const name of [origin, container]) {
    if (!CONTAINER_NAME.test(name))
      throw artifactPathInvalid(
        name,
        'may have letters, digits, "-", "_" and "." only, 255 at most, as origin or container',
      );
  }
}

/** A prefix as it arrives in addresses: zero to two slashes at its end (wire contract 5.4). */
export function checkArtifactPlace(origin: string, container: string, prefix: string): ArtifactPlace {
  checkContainer(origin, container);
  const path = prefix.replace(/\/+$/, "");
  return { origin, container, path: path === "" ? "" : checkArtifactPath(path) };
}

/** @param idOrUri `origin/container[/path]`, plain or behind `aml://artifact/` @throws {AppError} ArtifactIdInvalid */
export function parseArtifactId(idOrUri: string): ArtifactPlace {
  const id = idOrUri.startsWith(URI_SCHEME) ? idOrUri.slice(URI_SCHEME.length) : idOrUri;
  const [origin = "", container = "", ...rest] = id.split("/");
  if (container === "") throw artifactIdInvalid(idOrUri);
  return checkArtifactPlace(origin, container, rest.join("/"));
}
