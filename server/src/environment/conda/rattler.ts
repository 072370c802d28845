import { access, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { runCommand } from "../../platform/child-process.ts";
import { errnoCode } from "../../platform/errors.ts";
import { newShortId } from "../../platform/ids.ts";
import { type Isolation, SAFE_ENV } from "../../platform/sandbox.ts";
import { pythonNotAvailable } from "../environment-errors.ts";
import type { IndexSettings } from "../index-settings.ts";
import type { Interpreter } from "../python-choice.ts";
import type { RunContext, Uv } from "../uv.ts";
import type { Channels } from "./conda-channels.ts";
import { type CondaPackage, checkedPackage, fileNameOf, type SolvedPackage, subdirOf } from "./conda-lock.ts";
import type { CondaTarget } from "./conda-target.ts";
import type { Login } from "./netrc.ts";
import { rattlerFailure } from "./rattler-failure.ts";
import { RATTLER_PROGRAM } from "./rattler-program.ts";
import { RATTLER_PYTHON, RATTLER_VERSION, RATTLER_WHEEL_HASHES } from "./rattler-release.ts";

/** Solves, downloads and links conda packages by py-rattler, which runs isolated: whatever a channel says is hostile until checked. */
export interface Rattler {
  /** @throws {AppError} EnvironmentUnsolvable, CondaChannelInvalid, CondaChannelUnreachable, CondaFileInvalid */
  solve(request: SolveRequest, context: RunContext): Promise<readonly CondaPackage[]>;
  /**
   * Downloads what is not there yet, checks the hashes, and links the packages into an empty folder. No script of a package is run.
   *
   * @throws {AppError} CondaPackageInvalid, CondaChannelUnreachable, DiskFull
   */
  install(request: LinkRequest, context: RunContext): Promise<void>;
}

export interface SolveRequest {
  readonly channels: Channels;
  /** match specs as conda reads them, channels of pins as addresses */
  readonly specs: readonly string[];
  readonly target: CondaTarget;
  /** folder of the caller for temporary files */
  readonly workFolder: string;
}

export interface LinkRequest {
  readonly packages: readonly CondaPackage[];
  readonly target: CondaTarget;
  readonly workFolder: string;
  /** becomes the environment; an empty folder in `workFolder` */
  readonly prefix: string;
  /** the folder that the files name as their own */
  readonly prefixInFiles: string;
}

export interface RattlerOptions {
  readonly cacheFolder: string;
  /** for programs under another user id, which cannot reach the cache folder */
  readonly reachableFolder: string;
  readonly interpreters: readonly Interpreter[];
  readonly settings: IndexSettings;
  readonly isolation: Isolation;
  readonly uv: Uv;
  /** by host name */
  readonly logins: ReadonlyMap<string, Login>;
}

/** Nobody's package is larger; for channels that tell no size. */
const MAX_PACKAGE_BYTES = 8 * 1024 ** 3;
/** Blocks of 512 bytes for the largest file, KiB of memory: far above what the largest channel needs, far below the machine. */
const LIMITS = `ulimit -f ${(MAX_PACKAGE_BYTES / 512) * 2} && ulimit -v ${24 * 1024 ** 2}`;

const Solved = Type.Array(
  Type.Object({
    name: Type.String({ pattern: "^[a-z0-9_][a-z0-9._-]*$", maxLength: 200 }),
    version: Type.String({ maxLength: 200 }),
    build: Type.String({ maxLength: 200 }),
    url: Type.String({ maxLength: 2000 }),
    sha256: Type.Union([Type.String(), Type.Null()]),
    md5: Type.Union([Type.String(), Type.Null()]),
    size: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
    sitePackages: Type.Union([Type.String(), Type.Null()]),
  }),
  { maxItems: 10_000 },
);

/** Whether one of them is new enough for py-rattler. */
export function hasRattlerPython(interpreters: readonly Interpreter[]): boolean {
  return interpreters.some(isNewEnough);
}

/** Installs py-rattler once, from the configured index. */
export async function provideRattler(options: RattlerOptions, context: RunContext): Promise<Rattler> {
  const interpreter =
    options.interpreters.find((one) => isNewEnough(one) && one.shared) ?? options.interpreters.find(isNewEnough);
  if (interpreter === undefined) throw pythonNotAvailable(RATTLER_PYTHON.join("."), []);
  const folder = options.isolation.kind === "user" ? options.reachableFolder : options.cacheFolder;
  const library = join(folder, `py-rattler-${RATTLER_VERSION}`);
  if (!(await exists(library))) await installLibrary(library, interpreter, options.uv, context);
  return createRattler({ ...options, interpreter, library, folder: join(folder, "conda") });
}

function createRattler(
  tool: RattlerOptions & { readonly interpreter: Interpreter; readonly library: string; readonly folder: string },
): Rattler {
  const { interpreter, library, folder, isolation, settings } = tool;

  async function run(
    request: Readonly<Record<string, unknown>>,
    rights: { owner: string; readable: readonly string[]; writable: readonly string[]; workFolder: string },
    context: RunContext,
  ): Promise<unknown> {
    for (const path of rights.writable) await mkdir(path, { recursive: true });
    const home = join(rights.workFolder, "home");
    const limited = `umask 022 && ${LIMITS} && exec "$@"`;
    const command = await isolation.wrap({
      command: ["/bin/sh", "-c", limited, "sh", interpreter.path, "-I", "-B", "-c", RATTLER_PROGRAM, library],
      env: { PATH: SAFE_ENV.PATH ?? "", LANG: "C.UTF-8", ...settings.variables },
      owner: rights.owner,
      readable: [interpreter.prefix, dirname(interpreter.path), library, ...settings.paths, ...rights.readable],
      writable: rights.writable,
      workingFolder: "/",
      home,
    });
    const output: string[] = [];
    try {
      const { exitCode, stdout } = await runCommand(command, {
        env: SAFE_ENV,
        cwd: "/",
        input: JSON.stringify(request),
        signal: context.signal,
        onLine(line) {
          if (line.startsWith("progress ")) context.say(line.slice("progress ".length));
          else if (output.length < 200 && !line.startsWith("result ")) output.push(line);
        },
      });
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      const result: unknown = last.startsWith("result ") ? JSON.parse(last.slice("result ".length)) : undefined;
      if (exitCode === 0 && Value.Check(Type.Object({ value: Type.Unknown() }), result)) return result.value;
      throw rattlerFailure(result, output);
    } finally {
      await isolation.discardHome(home);
    }
  }

  /** Only what these addresses need, in the form that rattler reads. */
  function loginsOf(addresses: readonly string[]) {
    const hosts = addresses.map((address) => new URL(address).hostname);
    return Object.fromEntries(
      hosts.flatMap((host) => {
        const login = tool.logins.get(host);
        return login === undefined ? [] : [[host, { BasicHTTP: login }]];
      }),
    );
  }

  return {
    async solve({ channels, specs, target, workFolder }, context) {
      const begun = performance.now();
      const cache = join(folder, "repodata");
      const { addresses } = channels;
      const value = await run(
        { action: "solve", channels: addresses, credentials: loginsOf(addresses), specs, target, cache },
        { owner: "conda downloads", readable: [], writable: [cache], workFolder },
        context,
      );
      if (!Value.Check(Solved, value)) throw rattlerFailure(undefined, ["The solver's answer cannot be read."]);
      const packages = value.map((one): CondaPackage => checkedPackage(one satisfies SolvedPackage));
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      context.say(`Resolved ${counted(packages)} for ${target.subdir} in ${seconds} s.`);
      return packages;
    },

    /** Two runs: the one that reads packages cannot write where they are kept for others. */
    async install({ packages, target, workFolder, prefix, prefixInFiles }, context) {
      const cache = join(folder, "packages");
      const listed = packages.map((one) => ({
        ...one,
        subdir: subdirOf(one),
        archive: join(cache, one.hash, fileNameOf(one)),
        limit: one.size ?? MAX_PACKAGE_BYTES,
        shownSize: one.size === null ? "" : ` (${(one.size / 1e6).toFixed(1)} MB)`,
      }));
      await run(
        { action: "fetch", credentials: loginsOf(packages.map(({ url }) => url)), packages: listed },
        { owner: "conda downloads", readable: [], writable: [cache], workFolder },
        context,
      );
      const scratch = join(workFolder, "extracted");
      await run(
        { action: "link", credentials: {}, packages: listed, target, prefix, prefixInFiles, scratch },
        { owner: "conda packages", readable: [cache], writable: [prefix, scratch], workFolder },
        context,
      );
      await rm(scratch, { recursive: true, force: true });
      context.say(`Linked ${counted(packages)}.`);
    },
  };
}

function counted({ length }: readonly unknown[]): string {
  return length === 1 ? "1 conda package" : `${length} conda packages`;
}

function isNewEnough({ version }: Interpreter): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major === RATTLER_PYTHON[0] && minor >= RATTLER_PYTHON[1];
}

/** Another process may be faster; its files are the same. */
async function installLibrary(library: string, interpreter: Interpreter, uv: Uv, context: RunContext): Promise<void> {
  const temporary = `${library}.${newShortId()}.new`;
  context.say(`Installing the conda solver py-rattler ${RATTLER_VERSION}`);
  await mkdir(dirname(library), { recursive: true });
  try {
    const result = await uv.run(
      [
        ...["pip", "install", "--python", interpreter.path, "--target", temporary, "--no-deps", "--no-build"],
        ...["--require-hashes", "--requirement", "-"],
      ],
      `py-rattler==${RATTLER_VERSION} ${RATTLER_WHEEL_HASHES.map((hash) => `--hash=sha256:${hash}`).join(" ")}\n`,
      context,
    );
    if (!result.ok) throw rattlerFailure(undefined, result.output);
    await rename(temporary, library).catch((error: unknown) => {
      if (errnoCode(error) !== "ENOTEMPTY" && errnoCode(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
