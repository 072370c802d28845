// Programs of the tests that come as Go modules, kept in the cache folder outside the checkout.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { hasProgram } from "./debian-packages.js";

/** Go's modules are checked against its checksum database, so a version names the same sources everywhere. */
const CONFORMANCE = "github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111";
const ORAS = "oras.land/oras/cmd/oras@v1.3.6";

/** @returns {{ program?: string, reason?: string }} the official conformance suite of the OCI distribution specification */
export function ensureRegistryConformance() {
  return ensureGoProgram(CONFORMANCE);
}

/** @returns {{ program?: string, reason?: string }} a registry client for artifacts and referrers */
export function ensureOras() {
  return ensureGoProgram(ORAS);
}

function ensureGoProgram(source) {
  const cache = process.env.SLIPWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway");
  const [path, version] = source.split("@");
  const folder = join(cache, "test", `${basename(path)}-${version}`);
  const program = join(folder, basename(path));
  if (existsSync(program)) return { program };
  if (!hasProgram("go")) return { reason: "Go 1.24 or later is missing" };
  console.log(`Building ${source} into ${folder} (once).`);
  mkdirSync(folder, { recursive: true });
  // The program appears whole: `go install` renames it into place.
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0" };
  const { status, stderr, error } = spawnSync("go", ["install", source], { encoding: "utf8", env });
  if (status === 0) return { program };
  return { reason: `go install ${source}: ${(error?.message ?? stderr).trim().split("\n").at(-1)}` };
}
