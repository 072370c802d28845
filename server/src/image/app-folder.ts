import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { errnoCode } from "../platform/errors.ts";
import { createKeyedLock } from "../platform/keyed-lock.ts";
import { newBudget, unpackArchive, unpackLimits } from "./code-archive.ts";
import { placeCode } from "./code-placement.ts";
import { type ImagePlan, MODELS_FOLDER, modelFolder, type PlannedFile } from "./image.ts";
import { archiveMemberConflict, driverMissing } from "./image-errors.ts";

/** Raise it when the same plan is laid out differently: old folders are then no longer found. */
const LAYOUT = 1;
const SYNC_AT_ONCE = 16;

export interface AppFolder {
  /** absolute path: driver, code and `azureml-models/` */
  readonly root: string;
  readonly notes: readonly string[];
}

export type AppFolders = ReturnType<typeof createAppFolders>;

/**
 * Application folders by their content: `FOLDER/<content key>/app`. One is made aside and appears by its new name when it
 * is complete, so whatever has the name is whole and never changes again.
 */
export function createAppFolders(folder: string, blobs: BlobStore) {
  /** Two builds of the same content take turns; the second finds the folder. */
  const inTurn = createKeyedLock();

  async function make(plan: ImagePlan, key: string, signal: AbortSignal): Promise<AppFolder> {
    const destination = join(folder, key);
    const root = join(destination, "app");
    if (await exists(root)) return { root, notes: [] };
    const staging = join(folder, `${key}.incomplete`);
    await rm(staging, { recursive: true, force: true });
    await mkdir(join(staging, "app"), { recursive: true });
    await mkdir(join(staging, "members"));
    try {
      const notes = await layOut(plan, staging, blobs, signal);
      await rm(join(staging, "members"), { recursive: true });
      // Nothing of use is there, or its "app" had been found.
      await rm(destination, { recursive: true, force: true });
      await rename(staging, destination);
      return { root, notes };
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      throw error;
    }
  }

  return {
    key: contentKey,

    /** Idempotent; what is there already is not touched. @throws {AppError} ArchiveInvalid and the like, DriverMissing */
    layOut(plan: ImagePlan, signal: AbortSignal): Promise<AppFolder> {
      const key = contentKey(plan);
      return inTurn(key, () => make(plan, key, signal));
    },

    /** @param key of a plan that no image has any more */
    async remove(key: string): Promise<void> {
      await inTurn(key, () => rm(join(folder, key), { recursive: true, force: true }));
    },
  };
}

/** The same models and the same code give the same key, under whatever image name. */
function contentKey(plan: ImagePlan): string {
  const { runtime, models, code, driver } = plan;
  return createHash("sha256")
    .update(JSON.stringify([LAYOUT, runtime, models, code, driver]))
    .digest("hex");
}

async function layOut(plan: ImagePlan, staging: string, blobs: BlobStore, signal: AbortSignal): Promise<string[]> {
  const app = join(staging, "app");
  const plain = plan.code.filter((file) => !file.unpack);
  const placement = placeCode(await driverText(plan, blobs), await unpackAll(plan, staging, blobs, signal));
  for (const [path, member] of placement.files) {
    if (plain.some((file) => file.path === path)) continue;
    const destination = join(app, path);
    await makeFolder(dirname(destination), path);
    await chmod(member.file, member.executable ? 0o755 : 0o644);
    await rename(member.file, destination);
  }
  for (const file of plain) {
    await makeFolder(dirname(join(app, file.path)), file.path);
    if (file.executable !== true) await blobs.materialize(file.digest, join(app, file.path));
    else await copyExecutable(blobs, file.digest, join(app, file.path));
  }
  const copied = plain.filter((file) => file.executable === true).map((file) => file.path);
  await syncFiles([...placement.files.keys(), ...copied].map((path) => join(app, path)));
  if (plan.driver !== null && !(await exists(join(app, plan.driver)))) {
    throw driverMissing(plan.driver, [...plain.map((file) => file.path), ...placement.files.keys()].slice(0, 20));
  }
  for (const model of plan.models) {
    for (const file of model.files) {
      signal.throwIfAborted();
      await blobs.materialize(file.digest, join(app, modelFolder(model), file.path));
    }
  }
  return [...placement.notes];
}

/** Not a link: a stored blob must not become executable, whoever else has it. */
async function copyExecutable(blobs: BlobStore, digest: string, destination: string): Promise<void> {
  await blobs.info(digest);
  await copyFile(blobs.path(digest), destination);
  await chmod(destination, 0o755);
}

async function unpackAll(plan: ImagePlan, staging: string, blobs: BlobStore, signal: AbortSignal) {
  const budget = newBudget(unpackLimits);
  const archives = [];
  for (const { path, digest, sizeBytes } of plan.code.filter((file) => file.unpack)) {
    const archive = { name: path, sizeBytes, bytes: () => blobs.read(digest) };
    archives.push(await unpackArchive(archive, join(staging, "members"), budget, signal));
  }
  return archives;
}

async function driverText(plan: ImagePlan, blobs: BlobStore): Promise<string | undefined> {
  const driver = plan.code.find((file: PlannedFile) => !file.unpack && file.path === plan.driver);
  if (driver === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of blobs.read(driver.digest)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function makeFolder(folder: string, path: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const code = errnoCode(error);
    if (code === "ENOTDIR" || code === "EEXIST") throw archiveMemberConflict(path);
    throw error;
  }
}

/** The folder's new name may reach the disk before the bytes do; after a power cut it must not name empty files. */
async function syncFiles(files: readonly string[]): Promise<void> {
  const left = [...files];
  const worker = async () => {
    for (let file = left.pop(); file !== undefined; file = left.pop()) {
      const handle = await open(file, "r").catch((error) => {
        if (errnoCode(error) === "ENOENT") return undefined;
        throw error;
      });
      await handle?.sync();
      await handle?.close();
    }
  };
  await Promise.all(Array.from({ length: SYNC_AT_ONCE }, worker));
}

/** All files of the code, without the models; paths relative to the application folder. */
export async function codeFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.startsWith(`${MODELS_FOLDER}/`))
    .sort();
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return false;
    throw error;
  }
}
