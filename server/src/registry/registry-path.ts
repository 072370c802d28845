/** What a path below `/v2/` names (OCI distribution specification, "Endpoints"). */
export type RegistryResource =
  | { readonly type: "manifest"; readonly reference: string }
  | { readonly type: "blob"; readonly digest: string }
  | { readonly type: "uploads" }
  | { readonly type: "upload"; readonly id: string }
  | { readonly type: "tags" }
  | { readonly type: "referrers"; readonly digest: string };

export interface RegistryPath {
  /** with the workspace's part; not yet checked */
  readonly name: string;
  readonly resource: RegistryResource;
}

// A name may have "blobs" and the like among its components: the last place that fits is the one.
const SHAPES: readonly (readonly [RegExp, (rest: string) => RegistryResource])[] = [
  [/^(.+)\/blobs\/uploads\/?()$/, () => ({ type: "uploads" })],
  [/^(.+)\/blobs\/uploads\/([^/]+)\/?$/, (id) => ({ type: "upload", id })],
  [/^(.+)\/blobs\/([^/]+)$/, (digest) => ({ type: "blob", digest })],
  [/^(.+)\/manifests\/([^/]+)$/, (reference) => ({ type: "manifest", reference })],
  [/^(.+)\/referrers\/([^/]+)$/, (digest) => ({ type: "referrers", digest })],
  [/^(.+)\/tags\/list()$/, () => ({ type: "tags" })],
];

/** @param path what follows `/v2/`, without the query */
export function parseRegistryPath(path: string): RegistryPath | undefined {
  const decoded = unescaped(path);
  if (decoded === undefined) return undefined;
  for (const [shape, resource] of SHAPES) {
    const match = shape.exec(decoded);
    if (match !== null) return { name: match[1] ?? "", resource: resource(match[2] ?? "") };
  }
  return undefined;
}

/** Some clients escape the colon of a digest. */
function unescaped(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
