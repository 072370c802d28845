// Debian packages that a script needs: installed with a plain message, only as root (or with sudo), never by hand.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** A program in the path, or a file by its whole path. */
export function hasProgram(program) {
  if (isAbsolute(program)) return existsSync(program);
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * @param {{ name: string, program: string, why: string }[]} packages
 * @returns {string[]} the programs that are still missing
 */
export function ensureDebianPackages(packages) {
  const missing = packages.filter(({ program }) => !hasProgram(program));
  if (missing.length === 0) return [];
  for (const { name, why } of missing) console.log(`The Debian package ${name} is missing: ${why}.`);
  const prefix = process.getuid?.() === 0 ? [] : hasProgram("sudo") ? ["sudo", "-n"] : undefined;
  if (prefix === undefined || !hasProgram("apt-get")) {
    console.log(`It is not installed here, because that needs ${prefix === undefined ? "root or sudo" : "apt-get"}.`);
  } else {
    const names = missing.map(({ name }) => name);
    console.log(`Installing ${names.join(", ")} with apt-get.`);
    const install = () => apt(prefix, ["install", "-y", "--no-install-recommends", ...names]);
    // The package lists of a fresh machine are empty or old: only then are they fetched.
    if (!install() && apt(prefix, ["update"])) install();
  }
  return missing.map(({ program }) => program).filter((program) => !hasProgram(program));
}

function apt(prefix, args) {
  const [program, ...rest] = [...prefix, "apt-get", "-qq", ...args];
  // RUNLEVEL 1: programs are wanted, not services that start with their installation.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  return spawnSync(program, rest, { stdio: ["ignore", "ignore", "ignore"], env }).status === 0;
}
