// Packages of this machine's Debian mirror, for any architecture, without root and without touching the machine's own package state.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Apt {
  /** Debian's name: amd64, arm64 */
  readonly architecture: string;
  /** `3.11`: the mirror's own */
  readonly pythonMinor: string;
  /** what will be downloaded, exact versions, one address a line */
  readonly addresses: readonly string[];
  /** @returns the downloaded packages, checked by apt against the mirror's signature */
  download(): string[];
}

/** What services need of an operating system: C and C++ libraries, a shell, names of protocols, Python's whole standard library. */
const SYSTEM = ["base-files", "libc6", "libc-bin", "libstdc++6", "libgomp1", "dash", "netbase", "tzdata"];
/** Their content is wanted; what they depend on only serves to install them. */
const ALONE = ["ca-certificates"];
/** Only for installing packages, which nobody does in such an image. */
const LEFT_OUT =
  /^(?:dpkg|tar|debianutils|debconf|libacl1|libselinux1|libpcre2-8-0|libmd0|gcc-[0-9]+-base|readline-common)_/;

/** @param folder where apt keeps lists and packages between runs */
export function openApt(folder: string, architecture: string): Apt {
  const at = (path: string) => join(folder, architecture, path);
  for (const path of ["state/lists/partial", "cache/archives/partial", "nothing/partial"])
    mkdirSync(at(path), { recursive: true });
  // Nothing counts as installed, so apt finds everything that is needed.
  writeFileSync(at("status"), "");
  const settings = Object.entries({
    "Dir::State": at("state"),
    "Dir::State::status": at("status"),
    "Dir::Cache": at("cache"),
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Install-Recommends": "false",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
    "Debug::NoLocking": "true",
    // As root apt would download as another user, who cannot write here.
    "APT::Sandbox::User": "",
  }).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, [...settings, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  run("apt-get", "-qq", "update");
  const depends = run("apt-cache", "depends", "--important", "python3-minimal");
  const pythonMinor = /Depends: python(3\.\d+)-minimal/.exec(depends)?.[1];
  if (pythonMinor === undefined) throw new Error(`The Debian mirror has no Python for ${architecture}.`);
  const packages = [...SYSTEM, `python${pythonMinor}`];
  const addressesOf = (output: string) => output.split("\n").flatMap((line) => /^'([^']+)'/.exec(line)?.[1] ?? []);
  // Addresses of what was downloaded before are told only if it cannot be found.
  const elsewhere = ["-o", `Dir::Cache::archives=${at("nothing")}`];
  const install = addressesOf(run("apt-get", ...elsewhere, "-qq", "--print-uris", "-y", "install", ...packages));
  const alone = addressesOf(run("apt-get", "-qq", "--print-uris", "download", ...ALONE));
  const fileOf = (address: string) => decodeURIComponent(address.slice(address.lastIndexOf("/") + 1));
  const addresses = [...install, ...alone].filter((address) => !LEFT_OUT.test(fileOf(address))).sort();

  return {
    architecture,
    pythonMinor,
    addresses,
    download() {
      run("apt-get", "-qq", "--download-only", "-y", "install", ...packages);
      const archives = at("cache/archives");
      execFileSync("apt-get", [...settings, "-qq", "download", ...ALONE], { cwd: archives, stdio: "pipe" });
      // apt writes the epoch into its file names, addresses do not have it.
      const wanted = new Set(addresses.map(fileOf));
      const found = readdirSync(archives).filter((file) => wanted.has(file.replace(/_\d+%3a/, "_")));
      if (found.length !== wanted.size)
        throw new Error(`${wanted.size} packages were asked for, ${found.length} came.`);
      return found.sort().map((file) => join(archives, file));
    },
  };
}
