import { join } from "node:path";
import type { EnvironmentRequest, PreparedEnvironment } from "./environment.ts";
import { environmentId, resolutionKey } from "./environment-key.ts";
import type { EnvironmentSpec, PypiSpec } from "./environment-spec.ts";
import { makeTree, readTree, sitePackages } from "./environment-tree.ts";
import { gpuWarnings, withoutUnusedGpu } from "./gpu-packages.ts";
import { describeIndexSettings, type IndexSettings } from "./index-settings.ts";
import { parseLock } from "./lock.ts";
import { preferNewestReleases } from "./newest-releases.ts";
import { createPypiResolver } from "./pypi-resolver.ts";
import { type Interpreter, minorOf, type PythonChoice } from "./python-choice.ts";
import { reachableOptions } from "./reachable-options.ts";
import type { Resolution, ResolutionStore } from "./resolution-store.ts";
import type { RunContext, Uv } from "./uv.ts";
import type { createWorkFolders } from "./work-folders.ts";

export interface PypiRequest {
  readonly request: EnvironmentRequest;
  readonly spec: EnvironmentSpec;
  readonly pypi: PypiSpec;
  readonly python: PythonChoice;
  readonly settings: IndexSettings;
  uv(): Promise<Uv>;
}

export interface PypiDependencies {
  readonly folder: string;
  readonly cacheFolder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly resolutions: ResolutionStore;
  readonly workFolders: ReturnType<typeof createWorkFolders>;
}

export interface Resolved {
  readonly resolution: Resolution;
  readonly reused: boolean;
}

const NOTHING: Resolution = { lock: "", options: [], unreachable: [], azuremlAdded: false };

/** Environments on an interpreter of this machine, with packages from Python package indexes. */
export function createPypiEnvironments({ folder, cacheFolder, env, resolutions, workFolders }: PypiDependencies) {
  async function known(wanted: PypiRequest): Promise<Resolution | undefined> {
    const importsAzureml = wanted.request.azuremlImportedAt !== undefined;
    if (wanted.pypi.requirements.length === 0 && !importsAzureml) return NOTHING;
    return resolutions.find(keyOf(wanted));
  }

  async function resolve(wanted: PypiRequest, context: RunContext): Promise<Resolved> {
    const kept = await known(wanted);
    if (kept !== undefined) return { resolution: kept, reused: true };
    const { request, spec, pypi, python, settings } = wanted;
    const importsAzureml = request.azuremlImportedAt !== undefined;
    const { options, unreachable } = await reachableOptions(pypi.options, env, context.signal);
    const resolver = createPypiResolver(await wanted.uv(), describeIndexSettings(settings));
    const remark = python.exact
      ? ""
      : ` under Python ${python.interpreter.version} (${spec.python?.text} was asked for)`;
    const lockOf = (requirements: readonly string[]) =>
      requirements.length === 0
        ? Promise.resolve("")
        : workFolders.use((workFolder) =>
            resolver.resolve({ requirements, options, interpreter: python.interpreter, workFolder, remark }, context),
          );
    const asked = await preferNewestReleases(pypi.requirements, lockOf);
    const azuremlAdded = importsAzureml && !parseLock(asked).some(({ name }) => name === "azureml-core");
    const whole = azuremlAdded ? await lockOf([...pypi.requirements, "azureml-core"]) : asked;
    const { lock, notes } =
      request.gpu === true ? { lock: whole, notes: [] } : withoutUnusedGpu(whole, pypi.requirements);
    for (const note of notes) context.say(note);
    const resolution = { lock, options, unreachable, azuremlAdded };
    await resolutions.keep(keyOf(wanted), resolution);
    return { resolution, reused: false };
  }

  /** @param before what is to be said first, for instance why not conda */
  async function prepare(
    wanted: PypiRequest,
    resolved: Resolved,
    before: readonly string[],
    context: RunContext,
  ): Promise<PreparedEnvironment> {
    const { request, spec, pypi, python } = wanted;
    for (const note of pypi.notes) context.say(note);
    const { resolution } = resolved;
    const id = environmentId(resolution.lock, python.interpreter);
    const root = join(folder, "trees", id);
    const there = await readTree(root);
    const problems = there === undefined ? await install(id, root, wanted, resolution, context) : [];
    const warnings = [
      ...pythonWarnings(spec, python),
      ...before,
      ...resolution.unreachable.map(nobodyAnswers),
      ...azuremlWarnings(request, resolution),
      ...(request.gpu === true
        ? []
        : await gpuWarnings(resolution.lock, sitePackages(root, minorOf(python.interpreter.version)))),
      ...problems,
    ];
    for (const warning of warnings) context.say(`Warning: ${warning}`);
    const reused = resolved.reused && there !== undefined;
    if (reused) context.say(`Environment ${id.slice(0, 12)} is known; nothing to install.`);
    const packages = parseLock(resolution.lock).map(({ name, version }) => ({ name, version }));
    return {
      ...{ id, root, lock: resolution.lock, condaLock: "", resolver: "pypi", packages, warnings, reused },
      pythonVersion: there?.pythonVersion ?? python.interpreter.version,
    };
  }

  async function install(
    id: string,
    destination: string,
    { python, settings, uv: provide }: PypiRequest,
    { lock, options }: Resolution,
    context: RunContext,
  ): Promise<readonly string[]> {
    const { interpreter }: { interpreter: Interpreter } = python;
    const uv = lock === "" ? undefined : await provide();
    const bytecodeCache = join(cacheFolder, "bytecode");
    const indexDescription = describeIndexSettings(settings);
    return workFolders.use((workFolder) =>
      makeTree(
        { id, lock, options, interpreter, workFolder, destination, bytecodeCache, uv, indexDescription },
        context,
      ),
    );
  }

  return { known, resolve, prepare };
}

function keyOf({ request, pypi, python, settings }: PypiRequest): string {
  const importsAzureml = request.azuremlImportedAt !== undefined;
  const resolution = request.gpu === true ? `${request.resolution ?? ""} gpu` : request.resolution;
  return resolutionKey(pypi, importsAzureml, python.interpreter, settings.variables, resolution);
}

export function nobodyAnswers(address: string): string {
  return `Nobody answers at ${address}; it was left out. Remove it from the conda file.`;
}

export function azuremlWarnings(request: EnvironmentRequest, { azuremlAdded }: Resolution): readonly string[] {
  if (!azuremlAdded) return [];
  return [
    `azureml-core was added, since it is imported (${request.azuremlImportedAt}) and no requirement provides it.`,
  ];
}

function pythonWarnings(spec: EnvironmentSpec, { exact, interpreter }: PythonChoice): readonly string[] {
  if (exact) return [];
  return [
    `Python ${spec.python?.text} was asked for and is not installed here; Python ${interpreter.version} is used. Set strictPython to refuse this instead.`,
  ];
}
