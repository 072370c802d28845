/** For what a conda environment is made, as the solver sees it. */
export interface CondaTarget {
  /** the channel's folder of packages: `linux-64` */
  readonly subdir: string;
  /** what the machine offers, as packages that are always there: name, version, build */
  readonly virtualPackages: readonly (readonly [name: string, version: string, build: string])[];
}

/**
 * The least that images and machines offer, not what this one has: the same file then gives the same packages everywhere. Any Linux
 * of the last seven years has this C library and kernel; no feature of the processor beyond its architecture is taken for granted.
 */
const GLIBC = "2.28";
const LINUX = "4.18";
const SUBDIRS: Readonly<Record<string, readonly [subdir: string, archspec: string]>> = {
  "linux-amd64": ["linux-64", "x86_64"],
  "linux-arm64": ["linux-aarch64", "aarch64"],
};

/**
 * @param platform as Node names it
 * @param architecture as OCI names it
 * @returns undefined when conda environments are not made for it
 */
export function condaTarget(platform: string, architecture: string): CondaTarget | undefined {
  const [subdir, archspec] = SUBDIRS[`${platform}-${architecture}`] ?? [];
  if (subdir === undefined || archspec === undefined) return undefined;
  return {
    subdir,
    virtualPackages: [
      ["__unix", "0", "0"],
      ["__linux", LINUX, "0"],
      ["__glibc", GLIBC, "0"],
      ["__archspec", "1", archspec],
    ],
  };
}
