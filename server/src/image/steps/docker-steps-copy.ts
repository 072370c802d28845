import { imagePaths } from "@slipway/api";
import type { CopyStep } from "./docker-steps-config.ts";
import { dockerStepInvalid } from "./docker-steps-errors.ts";

/** A file of the uploaded code under its place in the image. */
export interface CopiedFile {
  /** relative to the folder of the code */
  readonly source: string;
  /** in the image, without a first "/" */
  readonly name: string;
}

const MAX_LINKS = 20;
/** What Slipway itself puts into images; a file of others there would be its program. */
const OURS = [imagePaths.runtime, imagePaths.environment];

/**
 * Finds what COPY means among the uploaded files. Of two copies to one place the last counts.
 *
 * @param files relative paths of everything that was uploaded, models left out
 * @param links of the base: a file under a link goes where the link leads, as an engine would put it
 * @throws {AppError} DockerStepInvalid with the line: nothing found, a path that leads out, a place of Slipway's own
 */
export function copiedFiles(
  copies: readonly CopyStep[],
  files: readonly string[],
  links: Readonly<Record<string, string>>,
): CopiedFile[] {
  const found = new Map<string, string>();
  for (const copy of copies) {
    for (const { source, name: named } of copiedBy(copy, files)) {
      const name = throughLinks(named, links);
      if (name === undefined) throw dockerStepInvalid(copy.line, `/${named} leads through links that have no end`);
      const absolute = `/${name}`;
      if (OURS.some((place) => absolute === place || absolute.startsWith(`${place}/`))) {
        throw dockerStepInvalid(copy.line, `${absolute} belongs to Slipway`);
      }
      found.set(name, source);
    }
  }
  const copied = [...found].map(([name, source]) => ({ source, name }));
  for (const { name } of copied) {
    const inside = copied.find((other) => other.name.startsWith(`${name}/`));
    if (inside !== undefined) {
      throw dockerStepInvalid(copies[0]?.line ?? 1, `/${name} would be a file and, for /${inside.name}, a folder`);
    }
  }
  return copied.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

/** A layer that has a folder where the base has a link takes the link away, and with it everything behind it. */
function throughLinks(path: string, links: Readonly<Record<string, string>>): string | undefined {
  let parts = path.split("/");
  for (let followed = 0; followed < MAX_LINKS; followed++) {
    const depth = parts.slice(0, -1).findIndex((_, index) => Object.hasOwn(links, parts.slice(0, index + 1).join("/")));
    if (depth === -1) return parts.join("/");
    const target = links[parts.slice(0, depth + 1).join("/")] ?? "";
    const from = target.startsWith("/") ? [] : parts.slice(0, depth);
    const clean: string[] = [];
    for (const part of [...from, ...target.split("/"), ...parts.slice(depth + 1)]) {
      if (part === "..") clean.pop();
      else if (part !== "" && part !== ".") clean.push(part);
    }
    parts = clean;
  }
  return undefined;
}

function copiedBy({ line, sources, destination }: CopyStep, files: readonly string[]): CopiedFile[] {
  const matches = sources.map((source) => matchesOf(source, files, line));
  const folder = destination.endsWith("/") || destination === "/";
  const single = matches.flat().length === 1 && sources.length === 1;
  if (!folder && !single && matches.flat().some(({ below }) => below === "")) {
    throw dockerStepInvalid(line, `several files go into a folder: end ${destination} with /`);
  }
  const place = destination.replace(/\/$/, "").slice(1);
  return matches.flat().map(({ path, below }) => {
    const inFolder = below !== "" ? below : folder ? (path.split("/").at(-1) ?? "") : "";
    const name = [place, inFolder].filter((part) => part !== "").join("/");
    if (name === "") throw dockerStepInvalid(line, "a file cannot take the place of /");
    return { source: path, name };
  });
}

/** A file itself has nothing `below`; of a folder its content is copied, not the folder. */
function matchesOf(source: string, files: readonly string[], line: number): { path: string; below: string }[] {
  const parts = source.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw dockerStepInvalid(line, `${JSON.stringify(source)} leads out of the uploaded files`);
  const patterns = parts.map((part) => patternOf(part, line));
  const found = files.flatMap((path) => {
    const names = path.split("/");
    if (names.length < patterns.length) return [];
    if (!patterns.every((pattern, index) => pattern.test(names[index] ?? ""))) return [];
    return [{ path, below: names.slice(patterns.length).join("/") }];
  });
  if (found.length === 0) {
    const some = files.slice(0, 5).join(", ") || "none";
    throw dockerStepInvalid(
      line,
      `${JSON.stringify(source)} is not among the uploaded files (${some}${files.length > 5 ? " …" : ""}); only what is uploaded with the image as a dependency can be copied`,
    );
  }
  return found;
}

/** `*`, `?` and `[…]` within one name. */
function patternOf(part: string, line: number): RegExp {
  // More would let the matching take for ever.
  if (part.split("*").length > 5) throw dockerStepInvalid(line, `${JSON.stringify(part)} has too many *`);
  const wild = part
    .replaceAll(/[.+^$(){}|\\]/g, "\\$&")
    .replaceAll(/\*+/g, "[^/]*")
    .replaceAll("?", "[^/]");
  try {
    return new RegExp(`^${wild}$`, "u");
  } catch {
    throw dockerStepInvalid(line, `${JSON.stringify(part)} is no pattern`);
  }
}
