import { readdir } from "node:fs/promises";
import { join, normalize } from "node:path";
import { type FoundPackage, readStart } from "./found-package.ts";
import { licensesIn, MAX_METADATA_BYTES } from "./package-metadata.ts";

/** Real ones are below 2 MiB. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * The Python packages of a tree by what their installer wrote (`lib/python3.11/site-packages/NAME-VERSION.dist-info`). Installers
 * compare the folder's name with the archive's, so it tells the truth; what is in it was written by whoever made the package.
 *
 * @returns with the folder of each; sorted by name
 */
export async function wheelPackages(root: string): Promise<(FoundPackage & { readonly folder: string })[]> {
  const found = [];
  for (const { folder, name, version } of await distributionFolders(root)) {
    const metadata = await readStart(join(root, folder, "METADATA"), MAX_METADATA_BYTES);
    const record = await readStart(join(root, folder, "RECORD"), MAX_RECORD_BYTES + 1);
    const whole = record !== undefined && record.length <= MAX_RECORD_BYTES;
    found.push({
      ...{ folder, name, version },
      licenses: licensesIn(metadata ?? new Uint8Array()),
      files: whole ? [...recordedPaths(record)].map((path) => normalize(join(folder, "..", path))) : null,
    });
  }
  return found;
}

async function distributionFolders(root: string) {
  const pythons = (await readdir(join(root, "lib"))).filter((name) => /^python3\.\d+t?$/.test(name)).sort();
  const found = [];
  for (const python of pythons) {
    const packages = `lib/${python}/site-packages`;
    for (const entry of await entriesOf(join(root, packages))) {
      const [, name, version] = /^(.{1,200}?)-([^-]{1,200})\.dist-info$/.exec(entry.name) ?? [];
      if (!entry.isDirectory() || name === undefined || version === undefined) continue;
      found.push({ folder: `${packages}/${entry.name}`, name: name.toLowerCase().replace(/[-_.]+/g, "-"), version });
    }
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

/** A Python that comes from conda may keep its packages elsewhere. */
function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

/** First column of the CSV that the binary distribution format has; names with a comma are in quotes. */
function* recordedPaths(record: Uint8Array): Iterable<string> {
  for (const line of Buffer.from(record).toString("utf8").split(/\r?\n/)) {
    const [, quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^,]*)),/.exec(line) ?? [];
    const path = quoted?.replaceAll('""', '"') ?? plain;
    if (path !== undefined && path !== "") yield path;
  }
}
