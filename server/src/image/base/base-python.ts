import type { TarHeader } from "../../registry/remote/index.ts";

/** What a layer does to the places where interpreters lie. Small, so it is kept for every layer that was ever read. */
export interface LayerPythons {
  /** paths like `usr/bin/python3.11`, without a first slash */
  readonly added: readonly string[];
  /** what is no longer to be seen of the layers below: paths, or folders with everything in them */
  readonly hidden: readonly string[];
  /** links to folders high up, as `bin` to `usr/bin`: who puts a file there must put it where the link leads */
  readonly links: Readonly<Record<string, string>>;
}

const PLACE = /^(?:usr|usr\/local|opt\/[^/]+|opt\/[^/]+\/[^/]+)\/bin\/python3\.(\d{1,3})$/;
/** What lies above a place of an interpreter. */
const FOLDER = /^(?:|usr|usr\/bin|usr\/local|usr\/local\/bin|opt|opt\/[^/]+|opt\/[^/]+\/[^/]+|opt\/[^/]+\/[^/]+\/bin)$/;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** No honest layer has more; whoever makes a layer of millions of interpreters gets no larger row for it. */
const MAX_NOTED = 1_000;
const MAX_LINK_DEPTH = 2;

/** Notes what matters of one layer's members (OCI image specification, "Image layer filesystem changeset"). */
export function notePythons() {
  const added = new Set<string>();
  const hidden = new Set<string>();
  const links = new Map<string, string>();
  const note = (place: Set<string>, path: string) => {
    if (place.size < MAX_NOTED) place.add(path);
  };
  return {
    member({ name, kind, linkName }: TarHeader): void {
      const path = plainPath(name);
      if (path === undefined) return;
      const slash = path.lastIndexOf("/");
      const folder = path.slice(0, Math.max(slash, 0));
      const last = path.slice(slash + 1);
      if (last === OPAQUE) {
        if (leadsToPython(folder)) note(hidden, folder);
      } else if (last.startsWith(WHITEOUT)) {
        const gone = join(folder, last.slice(WHITEOUT.length));
        if (leadsToPython(gone)) note(hidden, gone);
      } else if (kind === "file" || kind === "symlink" || kind === "link") {
        if (PLACE.test(path)) note(added, path);
        // A file or a link where a folder was takes away what was in the folder.
        else if (leadsToPython(path)) note(hidden, path);
        if (kind === "symlink" && path.split("/").length <= MAX_LINK_DEPTH && links.size < MAX_NOTED) {
          links.set(path, linkName.slice(0, 1024));
        }
      }
    },
    /** Whiteouts hide what lies below, never what the same layer brings. */
    result: (): LayerPythons => ({
      added: [...added].sort(),
      hidden: [...hidden].sort(),
      links: Object.fromEntries(links),
    }),
  };
}

/**
 * The interpreter of a minor version that is to be seen through all layers: the first by the image's own PATH.
 *
 * @param layers lowest first
 * @returns an absolute path
 */
export function visiblePython(
  layers: readonly LayerPythons[],
  minor: string,
  searchPath: string | undefined,
): string | undefined {
  const visible = visiblePythons(layers).filter((path) => path.endsWith(`/python${minor}`));
  const folders = (searchPath ?? "/usr/local/bin:/usr/bin").split(":");
  const rank = (path: string) => {
    const place = folders.indexOf(path.slice(0, path.lastIndexOf("/")));
    return place === -1 ? folders.length : place;
  };
  return visible.map((path) => `/${path}`).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))[0];
}

/** Links high up in the whole image, the highest layer's first. */
export function visibleLinks(layers: readonly LayerPythons[]): Readonly<Record<string, string>> {
  return Object.assign({}, ...layers.map(({ links }) => links));
}

/** Minor versions that the image has, for the message when the right one is missing. */
export function pythonMinors(layers: readonly LayerPythons[]): string[] {
  const minors = visiblePythons(layers).map((path) => PLACE.exec(path)?.[1] ?? "");
  return [...new Set(minors)].sort((a, b) => Number(a) - Number(b)).map((minor) => `3.${minor}`);
}

function visiblePythons(layers: readonly LayerPythons[]): string[] {
  const visible = new Set<string>();
  for (const { added, hidden } of layers) {
    for (const path of visible) {
      if (hidden.some((gone) => gone === "" || path === gone || path.startsWith(`${gone}/`))) visible.delete(path);
    }
    for (const path of added) visible.add(path);
  }
  return [...visible];
}

/** As a path below the root, or undefined when it is none: what engines refuse or bend is not an interpreter. */
function plainPath(name: string): string | undefined {
  if (name.length > 4096 || name.includes("\0")) return undefined;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? undefined : parts.join("/");
}

/** Whether interpreters can lie in this folder, or it is such a place itself. */
function leadsToPython(path: string): boolean {
  return PLACE.test(path) || FOLDER.test(path);
}

const join = (folder: string, name: string) => (folder === "" ? name : `${folder}/${name}`);
