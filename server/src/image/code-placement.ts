import type { ArchiveMember, UnpackedArchive } from "./code-archive.ts";
import { MODELS_FOLDER } from "./image.ts";
import { archiveMemberConflict } from "./image-errors.ts";

export interface Placement {
  /** path in the application folder → the file that goes there */
  readonly files: ReadonlyMap<string, ArchiveMember>;
  /** what a person should know about it */
  readonly notes: readonly string[];
}

/**
 * Where the members of the archives belong. The genuine client packs absolute paths without their first slash
 * (`home/me/proj/score.py`), while its driver looks for `score.py` beside itself (wire contract 7.1, "Trap"). So the folder
 * of the script becomes the application folder, and everything else below it keeps its place. What was packed from
 * elsewhere is put beside the script under its own name.
 */
export function placeCode(driverText: string | undefined, archives: readonly UnpackedArchive[]): Placement {
  const base = scriptFolder(driverText ?? "", archives);
  const files = new Map<string, ArchiveMember>();
  const notes: string[] = [];
  for (const archive of archives) {
    const parent = archive.root.slice(0, archive.root.lastIndexOf("/") + 1);
    const outside = archive.members.some((member) => !member.name.startsWith(base));
    if (outside) notes.push(`${archive.root} lies outside of the script's folder; it is placed beside the script.`);
    for (const member of archive.members) {
      const above = [base, parent].find((folder) => member.name.startsWith(folder)) ?? "";
      const path = member.name.slice(above.length);
      if (path === MODELS_FOLDER || path.startsWith(`${MODELS_FOLDER}/`)) continue;
      // Deleted first, so that of several with one name the last also comes last.
      files.delete(path);
      files.set(path, member);
    }
    if (archive.members.some((member) => member.name.startsWith(`${base}${MODELS_FOLDER}/`)))
      notes.push(`${MODELS_FOLDER}/ of the uploaded code is left out: the image's models take its place.`);
  }
  for (const path of files.keys()) {
    for (const folder of foldersTo(path)) if (files.has(folder)) throw archiveMemberConflict(folder);
  }
  return { files, notes };
}

/**
 * The folder, with "/" at its end or empty, that a member's name begins with so that the rest is a script which the driver
 * names. The archive that holds nothing but the script decides, then the shortest path, then the last archive.
 */
function scriptFolder(driverText: string, archives: readonly UnpackedArchive[]): string {
  const candidates = archives.flatMap((archive, order) =>
    scriptNames(driverText).flatMap((script) =>
      archive.members
        .filter((member) => member.name === script || member.name.endsWith(`/${script}`))
        .map((member) => ({
          folder: member.name.slice(0, member.name.length - script.length),
          alone: archive.members.length === 1,
          depth: member.name.length,
          order,
        })),
    ),
  );
  const [best] = candidates.sort((a, b) => Number(b.alone) - Number(a.alone) || a.depth - b.depth || b.order - a.order);
  return best?.folder ?? "";
}

/** Relative Python files that a driver names in its string literals, if it is one that loads another file as its script. */
function scriptNames(driverText: string): string[] {
  if (!/\b(spec_from_file_location|SourceFileLoader|load_source)\b/.test(driverText)) return [];
  const literals = driverText.matchAll(/(?<quote>['"])(?<path>[^'"\\\n]{1,1000}\.py)\k<quote>/g);
  return [...literals]
    .map((match) => (match.groups?.path ?? "").replace(/^(\.\/)+/, ""))
    .filter((path) => !path.startsWith("/"));
}

function foldersTo(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
