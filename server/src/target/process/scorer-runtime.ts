import { readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { imagePaths, type ScorerConfig } from "@slipway/api";
import { ownArchitecture } from "../../platform/architecture.ts";
import { type Isolation, SAFE_ENV } from "../../platform/sandbox.ts";
import { onnxModels } from "../replica/onnx-models.ts";
import { bundleIncomplete, foreignArchitecture } from "../replica/replica-errors.ts";
import type { RunFolder } from "../replica/run-folder.ts";
import { workerEnvironment } from "../replica/worker-environment.ts";
import type { Deployment } from "../target.ts";

export interface RuntimeOptions {
  readonly isolation: Isolation;
  /** root of the package `@slipway/python`: workers must be able to read it */
  readonly pythonPackageFolder: string;
}

/** What the scorer starts: workers with their sandbox and environment, or ONNX models. */
export async function scorerRuntime(
  deployment: Deployment,
  run: RunFolder,
  options: RuntimeOptions,
): Promise<ScorerConfig["runtime"]> {
  const { imageId, architecture } = deployment.bundle;
  if (architecture !== ownArchitecture()) throw foreignArchitecture(imageId, architecture, ownArchitecture());
  switch (deployment.bundle.runtime) {
    case "python":
      return pythonRuntime(deployment, run, options);
    case "onnx":
      return { kind: "onnx", models: await onnxModels(deployment.bundle) };
  }
}

async function pythonRuntime(
  { id, bundle }: Deployment,
  run: RunFolder,
  { isolation, pythonPackageFolder }: RuntimeOptions,
): Promise<ScorerConfig["runtime"]> {
  const { environmentRoot, entryScript, appRoot } = bundle;
  if (environmentRoot === undefined) throw bundleIncomplete(bundle.imageId, "it has no Python environment");
  if (entryScript === undefined) throw bundleIncomplete(bundle.imageId, "it has no entry script");
  const python = join(environmentRoot, "bin", "python");
  if (!(await isThere(python)))
    throw bundleIncomplete(bundle.imageId, `its environment has no interpreter at ${python}`);
  if (!(await isThere(appRoot))) throw bundleIncomplete(bundle.imageId, `its folder ${appRoot} is missing`);
  // An environment with a Python of its own (conda) names its place in images in its files, so it is put there.
  const isPlaced = isolation.placesFolders && (await holdsItsPython(environmentRoot));
  const shownAt = isPlaced ? imagePaths.environment : environmentRoot;
  const command = await isolation.wrap({
    command: [join(shownAt, "bin", "python")],
    env: workerEnvironment(bundle, shownAt),
    owner: id,
    placed: isPlaced ? [{ from: environmentRoot, at: shownAt }] : [],
    readable: await existing([
      ...(isPlaced ? [] : [...(await interpreterFolders(environmentRoot)), environmentRoot]),
      ...(await Promise.all(bundle.models.map((model) => realpath(model.folder).catch(() => model.folder)))),
      ...bundle.models.map((model) => model.folder),
      pythonPackageFolder,
      // Last, so that it lies over whatever contains it.
      appRoot,
    ]),
    workingFolder: appRoot,
    home: run.home,
  });
  return { kind: "python", command: [...command], env: { ...SAFE_ENV }, appRoot, entryScript };
}

async function holdsItsPython(environmentRoot: string): Promise<boolean> {
  const python = await realpath(join(environmentRoot, "bin", "python"));
  return python.startsWith(`${await realpath(environmentRoot)}/`);
}

/** Parts of an installation that Python needs. Not the whole prefix: for `~/bin/python` that would be somebody's home. */
const INTERPRETER_PARTS = ["bin", "lib", "lib64", "share", "ssl", "etc"];

/**
 * Where the base interpreter of an environment lies. `bin/python` is a chain of links, each of which must lead somewhere in the
 * sandbox, too; `home` in `pyvenv.cfg` is where Python looks for its standard library.
 */
async function interpreterFolders(environmentRoot: string): Promise<readonly string[]> {
  const prefixes = new Set<string>();
  let link = join(environmentRoot, "bin", "python");
  for (let hops = 0; hops < 20; hops++) {
    const next = await readlink(link).catch(() => undefined);
    if (next === undefined) break;
    link = resolve(dirname(link), next);
    prefixes.add(dirname(dirname(link)));
  }
  prefixes.add(dirname(dirname(await realpath(link))));
  const home = /^home\s*=\s*(.+)$/m.exec(await readFile(join(environmentRoot, "pyvenv.cfg"), "utf8").catch(() => ""));
  if (home?.[1] !== undefined) prefixes.add(dirname(resolve(home[1].trim())));
  prefixes.delete(environmentRoot);
  return [...prefixes].flatMap((prefix) => INTERPRETER_PARTS.map((part) => join(prefix, part)));
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const unique = [...new Set(paths)];
  const there = await Promise.all(unique.map(isThere));
  return unique.filter((_, index) => there[index]);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
