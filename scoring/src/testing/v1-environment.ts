import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const PACKAGES = [
  "azureml-inference-server-http==1.5.1",
  "azureml-contrib-services==1.62.0",
  "numpy==2.3.4",
  "pandas==2.3.3",
];

/**
 * A Python environment with the packages of v1's images: made once, kept in the cache folder. inference-schema and Flask come
 * with the server.
 *
 * @returns its folder of programs
 */
export function ensureV1Environment(): string {
  const { SLIPWAY_CACHE, XDG_CACHE_HOME } = process.env;
  const cache = SLIPWAY_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "slipway");
  const environment = join(cache, "test", `v1-${PACKAGES.join("-").replaceAll(/[^\w.]+/g, "_")}`);
  if (!existsSync(environment)) {
    const building = `${environment}.${process.pid}`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(dirname(building), { recursive: true });
    execFileSync("python3", ["-m", "venv", building], { stdio: "inherit" });
    execFileSync(join(building, "bin", "python"), ["-m", "pip", "install", "-q", ...PACKAGES], { stdio: "inherit" });
    try {
      renameSync(building, environment);
    } catch (error) {
      // Another test file may have been quicker.
      if (!existsSync(environment)) throw error;
      rmSync(building, { recursive: true });
    }
  }
  return join(environment, "bin");
}
