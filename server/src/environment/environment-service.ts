import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { ownArchitecture } from "../platform/architecture.ts";
import type { Log } from "../platform/log.ts";
import type { Isolation } from "../platform/sandbox.ts";
import { chooseWay } from "./choose-way.ts";
import { createChannelReach } from "./conda/channel-reach.ts";
import { type CondaSettings, channelsOf } from "./conda/conda-channels.ts";
import { condaTarget } from "./conda/conda-target.ts";
import { readNetrc } from "./conda/netrc.ts";
import { createCondaEnvironments } from "./conda/prepare-from-conda.ts";
import { hasRattlerPython, provideRattler } from "./conda/rattler.ts";
import { RATTLER_PYTHON } from "./conda/rattler-release.ts";
import type { EnvironmentRequest, EnvironmentService, PreparedEnvironment } from "./environment.ts";
import { pythonNotAvailable } from "./environment-errors.ts";
import { digest } from "./environment-key.ts";
import {
  asksForPythonAlone,
  type EnvironmentSpec,
  environmentSpec,
  type PypiSpec,
  pypiSpec,
} from "./environment-spec.ts";
import { interpreterFor } from "./foreign-interpreter.ts";
import { type IndexSettings, readIndexSettings } from "./index-settings.ts";
import { createPypiEnvironments, type PypiRequest } from "./prepare-from-pypi.ts";
import { choosePython, type Interpreter, minorOf, type PythonChoice } from "./python-choice.ts";
import { findInterpreters } from "./python-discovery.ts";
import { createResolutionStore } from "./resolution-store.ts";
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
  /** where conda channels are; the public ones if not given */
  readonly conda?: CondaSettings | undefined;
}

export function createEnvironmentService(options: EnvironmentServiceOptions): EnvironmentService {
  const { folder, env, isolation, log, conda = {} } = options;
  const cacheFolder = options.cacheFolder ?? defaultCacheFolder(env);
  const resolutions = createResolutionStore(join(folder, "resolutions"));
  const workFolders = createWorkFolders(join(folder, "work"));
  const share = createSharedWork<PreparedEnvironment>();
  const fromPypi = createPypiEnvironments({ folder, cacheFolder, env, resolutions, workFolders });
  const fromConda = createCondaEnvironments({ folder, cacheFolder, env, isolation, resolutions, workFolders });
  const channelReach = createChannelReach(env);
  let interpreters: readonly Interpreter[] = [];
  const started = workFolders.removeAbandoned().then(
    (count) => count > 0 && log.info("Removed what interrupted installations left", { count }),
    (error: unknown) => log.warn("Could not remove what interrupted installations left", { error }),
  );

  async function prepare(request: EnvironmentRequest, context: RunContext): Promise<PreparedEnvironment> {
    await started;
    const spec = environmentSpec(request);
    for (const note of spec.pip.notes) context.say(note);
    const settings = await readIndexSettings(env);
    const found = await findPythons(spec, settings, context);
    const uv = () => uvFor(found, settings, context);
    const pypiRequest = (): PypiRequest => ({
      ...{ request, spec, settings, uv, pypi: pypiSpec(spec) },
      python: pythonFor(request, pickPython(found, spec, request.strictPython === true)),
    });
    const pythonIsHere = choosePython(found, spec.python)?.exact === true;
    const channels = channelsOf(
      spec.channels,
      spec.condaPackages.flatMap(({ channel }) => (channel === undefined ? [] : [channel])),
      conda,
    );
    const needsConda = request.resolver === "conda" || !(asksForPythonAlone(spec) && pythonIsHere);
    const target = condaTarget(process.platform, request.architecture ?? ownArchitecture());
    if (target === undefined || !hasRattlerPython(found) || request.resolver === "pypi" || !needsConda) {
      const wanted = pypiRequest();
      const warnings = request.resolver === "pypi" || !needsConda ? [] : withoutConda(wanted.pypi);
      return fromPypi.prepare(wanted, await fromPypi.resolve(wanted, context), warnings, context);
    }
    const logins = await readNetrc(env);
    const rattler = async () =>
      provideRattler(
        {
          cacheFolder,
          reachableFolder: join(folder, "tools"),
          interpreters: found,
          settings,
          isolation,
          logins,
          uv: await uv(),
        },
        context,
      );
    const reach = () => channelReach.find(channels, { logins, certificateFile: settings.variables.SSL_CERT_FILE });
    const wanted = { request, spec, settings, channels, target, interpreters: found, uv, rattler, reach };
    return chooseWay({ fromConda, fromPypi, channelReach }, wanted, pypiRequest, context);
  }

  /** Looks at the machine again only when what was found before does not serve. */
  async function findPythons(spec: EnvironmentSpec, settings: IndexSettings, context: RunContext) {
    const before = choosePython(interpreters, spec.python);
    if (before?.exact !== true || !(await exists(before.interpreter.path))) {
      interpreters = await findInterpreters(env, context.signal);
      if (await downloadPython(spec, settings, context)) interpreters = await findInterpreters(env, context.signal);
    }
    return interpreters;
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

function pythonFor({ architecture }: EnvironmentRequest, choice: PythonChoice): PythonChoice {
  return { ...choice, interpreter: interpreterFor(architecture, choice.interpreter) };
}

/** On machines for which no conda environments are made; the conda file's channels were not asked. */
function withoutConda({ taken }: PypiSpec): readonly string[] {
  if (taken.length === 0) return [];
  return [
    `Conda packages were taken from the Python package index instead of conda channels: ${taken.join(", ")}. Conda environments are made on Linux (x86-64 and arm64) with a Python ${RATTLER_PYTHON.join(".")} or newer on the PATH.`,
  ];
}
