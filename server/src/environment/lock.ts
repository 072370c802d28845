import { normalizeName } from "./pip-requirements.ts";

/** One package of a lock: exact version and the hashes of its files, in requirements.txt format. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly text: string;
}

/** Reads what the resolver wrote; comments are dropped. */
export function parseLock(lock: string): readonly LockedPackage[] {
  const packages: LockedPackage[] = [];
  for (const block of lock.split(/\n(?=[^\s#-])/)) {
    const text = block
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.trim().startsWith("#"))
      .join("\n");
    const pinned = /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)/.exec(text);
    const direct = /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])? @ (\S+)/.exec(text);
    const name = (pinned ?? direct)?.[1];
    if (name === undefined) continue;
    packages.push({ name: normalizeName(name), version: pinned?.[2] ?? versionInAddress(direct?.[2] ?? ""), text });
  }
  return packages.sort((one, other) => (one.name < other.name ? -1 : 1));
}

export function formatLock(packages: readonly LockedPackage[]): string {
  return packages.map(({ text }) => `${text}\n`).join("");
}

/** Both locks of an environment in one text: conda's list, if there is one, and after the line `# pip` what uv puts on top. */
export function wholeLock({ condaLock, lock }: { readonly condaLock: string; readonly lock: string }): string {
  return condaLock === "" ? lock : `${condaLock}# pip\n${lock}`;
}

/** `…/six-1.17.0-py2.py3-none-any.whl` and `…/six-1.17.0.tar.gz` name their version. */
function versionInAddress(address: string): string {
  const file = decodeURIComponent(
    address
      .replace(/[?#].*$/, "")
      .split("/")
      .at(-1) ?? "",
  );
  return /-(\d[^-]*?)(?:-.*\.whl|\.tar\.gz|\.zip)$/.exec(file)?.[1] ?? "unknown";
}
