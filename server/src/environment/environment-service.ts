import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Log } from "../platform/log.ts";
import type { Isolation } from "../platform/sandbox.ts";
import type { EnvironmentRequest, EnvironmentService, PreparedEnvironment } from "./environment.ts";
import { pythonNotAvailable } from "./environment-errors.ts";
import { digest, environmentId, resolutionKey } from "./environment-key.ts";
import { type EnvironmentSpec, environmentSpec } from "./environment-spec.ts";
import { makeTree, readTree } from "./environment-tree.ts";
import { describeIndexSettings, type IndexSettings, readIndexSettings } from "./index-settings.ts";
import { parseLock } from "./lock.ts";
import { preferNewestReleases } from "./newest-releases.ts";
import { createPypiResolver } from "./pypi-resolver.ts";
import { choosePython, type Interpreter, minorOf, type PythonChoice } from "./python-choice.ts";
import { findInterpreters } from "./python-discovery.ts";
import { reachableOptions } from "./reachable-options.ts";
import { createResolutionStore, type Resolution } from "./resolution-store.ts";
import { createSharedWork } from "./shared-work.ts";
import { createUv, type RunContext, type Uv } from "./uv.ts";
import { provideUv } from "./uv-binary.ts";
import { createWorkFolders } from "./work-folders.ts";

export interface EnvironmentServiceOptions {
  /** trees, locks and temporary folders of this installation */
  readonly folder: string;
  /** downloads, built wheels, bytecode and uv; may be shared by installations of the same user. {@link defaultCacheFolder} if not given */
  readonly cacheFolder?: string | undefined;
  /** the variables that Slipway was started with: PATH, proxies, index settings */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isolation: Isolation;
  readonly log: Log;
}

export function createEnvironmentService(options: EnvironmentServiceOptions): EnvironmentService {
  const { folder, env, isolation, log } = options;
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder(env);
  const resolutions = createResolutionStore(join(folder, "resolutions"));
  const workFolders = createWorkFolders(join(folder, "work"));
  const share = createSharedWork<PreparedEnvironment>();
  let interpreters: readonly Interpreter[] = [];
  const started = workFolders.removeAbandoned().then(
    (count) => count > 0 && log.info("Removed what interrupted installations left", { count }),
    (error: unknown) => log.warn("Could not remove what interrupted installations left", { error }),
  );

  async function prepare(request: EnvironmentRequest, context: RunContext): Promise<PreparedEnvironment> {
    await started;
    const spec = environmentSpec(request);
    for (const note of spec.notes) context.say(note);
    const settings = await readIndexSettings(env);
    const { pythons, python } = await pythonFor(spec, request.strictPython === true, settings, context);
    const provide = () => uvFor(pythons, settings, context);
    const { interpreter } = python;

    const resolved = await lockFor(spec, request, python, settings, provide, context);
    const { lock } = resolved.resolution;
    const id = environmentId(lock, interpreter);
    const root = join(folder, "trees", id);
    const known = await readTree(root);
    const { options, unreachable } = resolved.resolution;
    const problems =
      known === undefined ? await install({ id, root, lock, options, interpreter, settings, provide }, context) : [];

    const warnings = [
      ...pythonWarnings(spec, python),
      ...spec.warnings,
      ...unreachable.map((address) => `Nobody answers at ${address}; it was left out. Remove it from the conda file.`),
      ...azuremlWarnings(request, resolved.resolution),
      ...problems,
    ];
    for (const warning of warnings) context.say(`Warning: ${warning}`);
    const reused = resolved.reused && known !== undefined;
    if (reused) context.say(`Environment ${id.slice(0, 12)} is known; nothing to install.`);
    return {
      id,
      root,
      pythonVersion: known?.pythonVersion ?? interpreter.version,
      lock,
      packages: parseLock(lock).map(({ name, version }) => ({ name, version })),
      warnings,
      reused,
    };
  }

  /** Looks at the machine again only when what was found before does not serve. */
  async function pythonFor(spec: EnvironmentSpec, strict: boolean, settings: IndexSettings, context: RunContext) {
    const before = choosePython(interpreters, spec.python);
    if (before?.exact !== true || !(await exists(before.interpreter.path))) {
      interpreters = await findInterpreters(env, context.signal);
      if (await downloadPython(spec, settings, context)) interpreters = await findInterpreters(env, context.signal);
    }
    return { pythons: interpreters, python: pickPython(interpreters, spec, strict) };
  }

  /** Interpreters are downloaded only where the user named a place to take them from. */
  async function downloadPython(spec: EnvironmentSpec, settings: IndexSettings, context: RunContext): Promise<boolean> {
    const version = spec.python?.clauses.find(({ operator }) => operator === "==")?.version;
    if (env.UV_PYTHON_INSTALL_MIRROR === undefined || version === undefined) return false;
    if (choosePython(interpreters, spec.python)?.exact === true) return false;
    context.say(`Downloading Python ${minorOf(version)}`);
    const uv = await uvFor(interpreters, settings, context);
    const result = await uv.run(["python", "install", "--no-bin", minorOf(version)], "", context);
    if (!result.ok) log.warn("Python could not be downloaded", { version, output: result.output.slice(-5) });
    return result.ok;
  }

  async function uvFor(pythons: readonly Interpreter[], settings: IndexSettings, context: RunContext): Promise<Uv> {
    await mkdir(cacheFolder, { recursive: true, mode: 0o700 });
    const binary = await provideUv({ env, cacheFolder, pythons: pythons.map(({ path }) => path) }, context);
    return createUv({ binary, cacheFolder, reachableFolder: join(folder, "tools"), settings, env, isolation });
  }

  async function lockFor(
    spec: EnvironmentSpec,
    request: EnvironmentRequest,
    python: PythonChoice,
    settings: IndexSettings,
    provide: () => Promise<Uv>,
    context: RunContext,
  ): Promise<{ readonly resolution: Resolution; readonly reused: boolean }> {
    const importsAzureml = request.azuremlImportedAt !== undefined;
    if (spec.requirements.length === 0 && !importsAzureml)
      return { resolution: { lock: "", options: [], unreachable: [], azuremlAdded: false }, reused: true };
    const key = resolutionKey(spec, importsAzureml, python.interpreter, settings.variables);
    const kept = await resolutions.find(key);
    if (kept !== undefined) return { resolution: kept, reused: true };

    const { options, unreachable } = await reachableOptions(spec.options, env, context.signal);
    const resolver = createPypiResolver(await provide(), describeIndexSettings(settings));
    const remark = python.exact
      ? ""
      : ` under Python ${python.interpreter.version} (${spec.python?.text} was asked for)`;
    const resolve = (requirements: readonly string[]) =>
      requirements.length === 0
        ? Promise.resolve("")
        : workFolders.use((workFolder) =>
            resolver.resolve({ requirements, options, interpreter: python.interpreter, workFolder, remark }, context),
          );
    const asked = await preferNewestReleases(spec.requirements, resolve);
    const azuremlAdded = importsAzureml && !parseLock(asked).some(({ name }) => name === "azureml-core");
    const lock = azuremlAdded ? await resolve([...spec.requirements, "azureml-core"]) : asked;
    const resolution = { lock, options, unreachable, azuremlAdded };
    await resolutions.keep(key, resolution);
    return { resolution, reused: false };
  }

  async function install(
    wanted: {
      readonly id: string;
      readonly root: string;
      readonly lock: string;
      readonly options: readonly string[];
      readonly interpreter: Interpreter;
      readonly settings: IndexSettings;
      readonly provide: () => Promise<Uv>;
    },
    context: RunContext,
  ): Promise<readonly string[]> {
    const uv = wanted.lock === "" ? undefined : await wanted.provide();
    return workFolders.use((workFolder) =>
      makeTree(
        {
          id: wanted.id,
          lock: wanted.lock,
          options: wanted.options,
          interpreter: wanted.interpreter,
          workFolder,
          destination: wanted.root,
          bytecodeCache: join(cacheFolder, "bytecode"),
          uv,
          indexDescription: describeIndexSettings(wanted.settings),
        },
        context,
      ),
    );
  }

  return {
    prepare(request, run) {
      return share(digest([request]), run, (context) => prepare(request, context));
    },
  };
}

/** `SLIPWAY_CACHE`, else `slipway` in the user's cache folder */
export function defaultCacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (env.SLIPWAY_CACHE !== undefined && env.SLIPWAY_CACHE !== "") return env.SLIPWAY_CACHE;
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "slipway");
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function pickPython(found: readonly Interpreter[], spec: EnvironmentSpec, strict: boolean): PythonChoice {
  const choice = choosePython(found, spec.python);
  if (choice === undefined || (strict && !choice.exact)) {
    throw pythonNotAvailable(spec.python?.text ?? "3", [...new Set(found.map(({ version }) => version))]);
  }
  return choice;
}

function pythonWarnings(spec: EnvironmentSpec, { exact, interpreter }: PythonChoice): readonly string[] {
  if (exact) return [];
  return [
    `Python ${spec.python?.text} was asked for and is not installed here; Python ${interpreter.version} is used. Set strictPython to refuse this instead.`,
  ];
}

function azuremlWarnings(request: EnvironmentRequest, { azuremlAdded }: Resolution): readonly string[] {
  if (!azuremlAdded) return [];
  return [
    `azureml-core was added, since it is imported (${request.azuremlImportedAt}) and no requirement provides it.`,
  ];
}
