import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode } from "../platform/errors.ts";
import { formatLock, type LockedPackage, parseLock } from "./lock.ts";
import { normalizeName } from "./pip-requirements.ts";

const COMMUNICATION = /^nvidia-nccl(-|$)/;
const GPU_ONLY = /^(nvidia|cuda)-|^triton$/;
/** Folders in site-packages that these packages fill. */
const GPU_FOLDERS = ["nvidia", "cuda", "triton"];

export interface WithoutGpu {
  readonly lock: string;
  /** said to people */
  readonly notes: readonly string[];
}

/**
 * Leaves out what is of use only between graphics cards where a package runs without it. There is one such case: XGBoost's wheel
 * asks for NCCL (300 MB), which it loads when several cards train together.
 */
export function withoutUnusedGpu(lock: string, requirements: readonly string[]): WithoutGpu {
  const packages = parseLock(lock);
  const gpu = packages.filter(({ name }) => GPU_ONLY.test(name));
  const asked = new Set(requirements.map(nameOf));
  const droppable = (one: LockedPackage) => COMMUNICATION.test(one.name) && !asked.has(one.name);
  const onlyForXgboost = gpu.length > 0 && gpu.every(droppable) && packages.some(({ name }) => name === "xgboost");
  if (!onlyForXgboost) return { lock, notes: [] };
  return {
    lock: formatLock(packages.filter((one) => !gpu.includes(one))),
    notes: [
      `Left out, since GPU is not enabled and XGBoost runs without it: ${gpu.map(({ name }) => name).join(", ")}.`,
    ],
  };
}

/**
 * Says what an environment carries for graphics cards that nobody asked for. Other packages than these would be needed, which only
 * the user's own index can offer.
 */
export async function gpuWarnings(lock: string, sitePackages: string): Promise<readonly string[]> {
  const packages = parseLock(lock);
  const gpu = packages.filter(({ name }) => GPU_ONLY.test(name));
  if (gpu.length === 0) return [];
  const sizes = await Promise.all(GPU_FOLDERS.map((folder) => folderBytes(join(sitePackages, folder))));
  const megabytes = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024 / 1024);
  const owner = packages.find(({ name }) => ["torch", "tensorflow", "jax", "cupy"].includes(name))?.name;
  const advice =
    owner === undefined
      ? ""
      : ` To do without, name an index that has builds of ${owner} for CPUs in the conda file's pip section (--extra-index-url ADDRESS).`;
  return [
    `GPU is not enabled, but ${gpu.length} packages for it are installed (${megabytes} MB), since ${owner ?? "other packages"} asks for them: ${gpu.map(({ name }) => name).join(", ")}.${advice}`,
  ];
}

const nameOf = (requirement: string) => normalizeName(/^[A-Za-z0-9._-]+/.exec(requirement.trim())?.[0] ?? "");

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
