import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ownArchitecture } from "../../platform/architecture.ts";
import { AppError } from "../../platform/errors.ts";
import type { Isolation } from "../../platform/sandbox.ts";
import { TREE_PATH_IN_IMAGES } from "../bytecode.ts";
import type { EnvironmentRequest, EnvironmentResolver, PreparedEnvironment } from "../environment.ts";
import {
  condaChannelUnreachable,
  condaFileInvalid,
  condaPythonNotAvailable,
  pythonNotAvailable,
} from "../environment-errors.ts";
import { condaEnvironmentId, condaResolutionKey } from "../environment-key.ts";
import { asksForPythonAlone, type EnvironmentSpec } from "../environment-spec.ts";
import { readTree, type TreeRecord } from "../environment-tree.ts";
import { describeIndexSettings, type IndexSettings } from "../index-settings.ts";
import { parseLock } from "../lock.ts";
import { preferNewestReleases } from "../newest-releases.ts";
import { azuremlWarnings, nobodyAnswers } from "../prepare-from-pypi.ts";
import { choosePython, type Interpreter } from "../python-choice.ts";
import { reachableOptions } from "../reachable-options.ts";
import type { Resolution, ResolutionStore } from "../resolution-store.ts";
import { createSharedWork } from "../shared-work.ts";
import type { RunContext, Uv } from "../uv.ts";
import type { createWorkFolders } from "../work-folders.ts";
import type { ChannelReach } from "./channel-reach.ts";
import type { Channels } from "./conda-channels.ts";
import { type CondaPackage, formatCondaLock } from "./conda-lock.ts";
import type { CondaTarget } from "./conda-target.ts";
import { type CondaTreeRequest, interpreterIn, makeCondaTree } from "./conda-tree.ts";
import { planPip } from "./pip-on-conda.ts";
import { foreignPython, lookInto, ownPython } from "./pip-python.ts";
import type { Rattler } from "./rattler.ts";

export interface CondaRequest {
  readonly request: EnvironmentRequest;
  readonly spec: EnvironmentSpec;
  readonly target: CondaTarget;
  /** all that the conda file names */
  readonly channels: Channels;
  readonly settings: IndexSettings;
  /** of this machine */
  readonly interpreters: readonly Interpreter[];
  uv(): Promise<Uv>;
  rattler(): Promise<Rattler>;
  /** asked only when something has to be resolved */
  reach(): Promise<ChannelReach>;
}

export interface CondaDependencies {
  /** trees and temporary folders of this installation */
  readonly folder: string;
  readonly cacheFolder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isolation: Isolation;
  readonly resolutions: ResolutionStore;
  readonly workFolders: ReturnType<typeof createWorkFolders>;
}

/** A resolution by conda's own solver. */
type CondaResolution = Resolution & { readonly conda: readonly CondaPackage[] };

/** Environments whose packages, Python included, come from conda channels; uv puts the pip section on top. */
export function createCondaEnvironments(deps: CondaDependencies) {
  const { folder, cacheFolder, env, isolation, resolutions, workFolders } = deps;
  const shareBase = createSharedWork<readonly string[]>();
  const treeOf = (id: string) => join(folder, "trees", id);

  async function known(wanted: CondaRequest): Promise<CondaResolution | undefined> {
    const kept = await resolutions.find(keyOf(wanted));
    return kept?.conda === undefined ? undefined : { ...kept, conda: kept.conda };
  }

  /** Which way was taken before for the same file, its channels and settings; undefined if none. */
  async function decided(wanted: CondaRequest): Promise<EnvironmentResolver | undefined> {
    const kept = await resolutions.find(keyOf(wanted));
    if (kept === undefined) return undefined;
    return kept.conda === undefined ? "pypi" : "conda";
  }

  /** Remembers that the packages of this file came from Python package indexes. */
  function leaveToPypi(wanted: CondaRequest, { resolution }: { readonly resolution: Resolution }): Promise<void> {
    return resolutions.keep(keyOf(wanted), resolution);
  }

  async function prepare(wanted: CondaRequest, context: RunContext): Promise<PreparedEnvironment> {
    const kept = await known(wanted);
    const resolution = kept ?? (await resolve(wanted, context));
    const { conda, lock, options, unreachable } = resolution;
    const condaLock = formatCondaLock(wanted.target.subdir, conda);
    const id = condaEnvironmentId(condaLock, lock);
    const root = treeOf(id);
    const there = (await readTree(root)) !== undefined;
    const problems = there ? [] : await base(wanted, conda, context);
    if (!there && lock !== "") {
      const on = { kind: "pip", uv: await wanted.uv(), base: treeOf(condaEnvironmentId(condaLock, "")) } as const;
      const content = { ...on, lock, options, indexDescription: describeIndexSettings(wanted.settings) };
      problems.push(...(await make(id, content, { ...recordOf(id, conda, wanted), lock }, wanted, context)));
    }
    const warnings = [
      ...unreachable.map(nobodyAnswers),
      ...azuremlWarnings(wanted.request, resolution),
      ...(isolation.kind === "bubblewrap"
        ? []
        : [
            `Files of conda packages name ${TREE_PATH_IN_IMAGES} as their place, which only images and bubblewrap give them; here some packages may not find their own files. Install bubblewrap.`,
          ]),
      ...problems,
    ];
    for (const warning of warnings) context.say(`Warning: ${warning}`);
    const reused = kept !== undefined && there;
    if (reused) context.say(`Environment ${id.slice(0, 12)} is known; nothing to install.`);
    return {
      ...{ id, root, lock, condaLock, warnings, reused, resolver: "conda" },
      pythonVersion: pythonOf(conda),
      packages: packagesOf(conda, lock),
    };
  }

  async function resolve(wanted: CondaRequest, context: RunContext): Promise<CondaResolution> {
    const { spec, channels, request } = wanted;
    const rattler = await wanted.rattler();
    const { answering, silent } = await wanted.reach();
    if (answering.length === 0) throw condaChannelUnreachable(`${silent.join(", ")}.`);
    const asked = { ...channels, addresses: channels.addresses.filter((address) => answering.includes(address)) };
    context.say(`Asking conda channels: ${asked.addresses.join(", ")}`);
    const conda = await workFolders
      .use((workFolder) =>
        rattler.solve({ channels: asked, specs: matchSpecs(wanted), target: wanted.target, workFolder }, context),
      )
      .catch((error: unknown) => {
        const unsolvable = error instanceof AppError && error.code === "EnvironmentUnsolvable";
        throw unsolvable && asksForPythonAlone(spec) ? condaPythonNotAvailable(spec.python?.text ?? "3", error) : error;
      });
    checkPython(pythonOf(conda), request.strictPython === true ? spec : undefined);
    const importsAzureml = request.azuremlImportedAt !== undefined;
    const { options, unreachable } = await reachableOptions(spec.pip.options, env, context.signal);
    let lock = "";
    let azuremlAdded = false;
    if (spec.pip.requirements.length > 0 || importsAzureml) {
      await base(wanted, conda, context);
      const plan = async (requirements: readonly string[]) => planOnBase(wanted, conda, requirements, options, context);
      lock = await preferNewestReleases(spec.pip.requirements, plan);
      azuremlAdded = importsAzureml && !packagesOf(conda, lock).some(({ name }) => name === "azureml-core");
      if (azuremlAdded) lock = await plan([...spec.pip.requirements, "azureml-core"]);
    }
    const resolution = { lock, options, unreachable: [...silent, ...unreachable], azuremlAdded, conda };
    await resolutions.keep(keyOf(wanted), resolution);
    return resolution;
  }

  async function planOnBase(
    wanted: CondaRequest,
    conda: readonly CondaPackage[],
    requirements: readonly string[],
    options: readonly string[],
    context: RunContext,
  ): Promise<string> {
    if (requirements.length === 0) return "";
    const root = treeOf(condaEnvironmentId(formatCondaLock(wanted.target.subdir, conda), ""));
    const indexDescription = describeIndexSettings(wanted.settings);
    const uv = await wanted.uv();
    const architecture = foreignArchitecture(wanted.request);
    return workFolders.use(async (workFolder) => {
      const plan = { requirements, options, workFolder, indexDescription };
      if (architecture === undefined) {
        const python = ownPython(interpreterIn(root, pythonOf(conda), wanted.target));
        return planPip(uv, { ...plan, python }, context);
      }
      const folder = join(workFolder, "python");
      const python = foreignPython(folder, pythonOf(conda), architecture, wanted.interpreters);
      await lookInto(root, folder, python);
      return planPip(uv, { ...plan, python: { ...python, readable: [...python.readable, root] } }, context);
    });
  }

  /** The tree of the conda packages alone, which other pip sections are put on, too. */
  async function base(wanted: CondaRequest, packages: readonly CondaPackage[], context: RunContext): Promise<string[]> {
    const id = condaEnvironmentId(formatCondaLock(wanted.target.subdir, packages), "");
    if ((await readTree(treeOf(id))) !== undefined) return [];
    const rattler = await wanted.rattler();
    const content = { kind: "conda", rattler, packages } as const;
    return [
      ...(await shareBase(id, context, (shared) => make(id, content, recordOf(id, packages, wanted), wanted, shared))),
    ];
  }

  async function make(
    id: string,
    content: CondaTreeRequest["content"],
    record: TreeRecord,
    { target, interpreters, request }: CondaRequest,
    context: RunContext,
  ): Promise<readonly string[]> {
    const reachable = isolation.kind === "user" ? join(folder, "tools") : cacheFolder;
    const ownBytecodeCache = join(reachable, "conda", "bytecode", condaEnvironmentId(record.condaLock ?? "", ""));
    await mkdir(ownBytecodeCache, { recursive: true });
    return workFolders.use((workFolder) =>
      makeCondaTree(
        {
          ...{ record, target, content, isolation, interpreters, workFolder, ownBytecodeCache },
          foreignArchitecture: foreignArchitecture(request),
          destination: treeOf(id),
          bytecodeCache: join(cacheFolder, "bytecode"),
        },
        context,
      ),
    );
  }

  return { decided, leaveToPypi, prepare };
}

function foreignArchitecture({ architecture }: EnvironmentRequest): string | undefined {
  return architecture === ownArchitecture() ? undefined : architecture;
}

function keyOf({ spec, channels, target, request, settings }: CondaRequest): string {
  return condaResolutionKey({
    specs: matchSpecs({ spec, channels, request }),
    channels: channels.addresses,
    target,
    pip: spec.pip,
    azuremlImported: request.azuremlImportedAt !== undefined,
    indexVariables: settings.variables,
    resolution: request.resolution,
  });
}

/** Everything that is asked of conda, and a Python in any case. */
function matchSpecs({ spec, channels, request }: Pick<CondaRequest, "spec" | "channels" | "request">): string[] {
  const specs = spec.condaPackages.map(({ channel, matchSpec }) =>
    channel === undefined ? matchSpec : `${channels.addressOf(channel)}::${matchSpec}`,
  );
  const asksForVersion = spec.condaPackages.some(({ name, matchSpec }) => name === "python" && matchSpec !== "python");
  const version = request.pythonVersion?.trim();
  const python = version ? `python=${version}` : "python>=3.6";
  return [...new Set([...specs, ...(asksForVersion ? [] : [python])])].sort();
}

function recordOf(id: string, conda: readonly CondaPackage[], { target }: CondaRequest): TreeRecord {
  const condaLock = formatCondaLock(target.subdir, conda);
  return { id, pythonVersion: pythonOf(conda), platform: target.subdir, lock: "", condaLock };
}

function pythonOf(conda: readonly CondaPackage[]): string {
  return conda.find(({ name }) => name === "python")?.version ?? "";
}

/** The solver keeps to what was asked, but "python" may be asked for in any version. */
function checkPython(version: string, strict: EnvironmentSpec | undefined): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major !== 3 || minor < 6) throw condaFileInvalid(`it leads to Python ${version}; 3.6 or newer is needed.`);
  if (strict?.python === undefined) return;
  const found: Interpreter = { path: "", prefix: "", version, platform: "", shared: true };
  if (choosePython([found], strict.python)?.exact !== true) throw pythonNotAvailable(strict.python.text, [version]);
}

function packagesOf(conda: readonly CondaPackage[], lock: string): PreparedEnvironment["packages"] {
  const pip = parseLock(lock).map(({ name, version }) => ({ name, version }));
  const replaced = new Set(pip.map(({ name }) => name));
  return [...conda.filter(({ name }) => !replaced.has(name)).map(({ name, version }) => ({ name, version })), ...pip];
}
