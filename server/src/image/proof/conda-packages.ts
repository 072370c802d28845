import { readdir } from "node:fs/promises";
import { join, normalize } from "node:path";
import { type FoundPackage, readStart } from "./found-package.ts";
import { shortLicense } from "./package-metadata.ts";

/** Every file is named in it twice, with hashes; real ones are below 8 MiB. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** The packages of a tree that come from conda channels, by the records in `conda-meta`. Sorted by name. */
export async function condaPackages(root: string): Promise<FoundPackage[]> {
  const folder = join(root, "conda-meta");
  const names = await readdir(folder).catch(() => []);
  const found: FoundPackage[] = [];
  for (const name of names.filter((one) => one.endsWith(".json")).sort()) {
    const bytes = await readStart(join(folder, name), MAX_RECORD_BYTES + 1);
    const record = bytes === undefined || bytes.length > MAX_RECORD_BYTES ? undefined : readRecord(bytes);
    if (record !== undefined) found.push({ ...record, files: [...(record.files ?? []), `conda-meta/${name}`] });
  }
  return found;
}

/** Channels and packages wrote most of it, so every field may be anything. */
function readRecord(bytes: Uint8Array): FoundPackage | undefined {
  const { name, version, build, url, sha256, license, files } = parse(bytes);
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  return {
    name: name.toLowerCase(),
    version,
    licenses: typeof license === "string" ? shortLicense(license) : [],
    files: Array.isArray(files)
      ? files.filter((file) => typeof file === "string").map((file) => normalize(file))
      : null,
    conda: {
      build: typeof build === "string" ? build : "",
      url: typeof url === "string" ? url : "",
      sha256: typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null,
    },
  };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch {
    return {};
  }
}
