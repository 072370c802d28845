import { access, mkdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import { type CommandResult, runCommand } from "../platform/child-process.ts";
import { errnoCode } from "../platform/errors.ts";
import { newShortId } from "../platform/ids.ts";
import { uvNotAvailable } from "./environment-errors.ts";
import { withoutCredentials } from "./index-settings.ts";
import { UV_MINIMUM_VERSION, UV_VERSION, UV_WHEEL_HASHES } from "./uv-release.ts";

type Variables = Readonly<Record<string, string | undefined>>;

export interface UvBinaryOptions {
  readonly env: Variables;
  /** installed once for all data folders of this user */
  readonly cacheFolder: string;
  /** interpreters that may have pip, best first */
  readonly pythons: readonly string[];
}

/**
 * Absolute path of uv: the one on the PATH if it is new enough, else the pinned version, installed by pip from the index that
 * pip is configured for.
 *
 * @throws {AppError} PackageInstallerNotAvailable
 */
export async function provideUv(
  options: UvBinaryOptions,
  run: { readonly signal: AbortSignal; say(text: string): void },
): Promise<string> {
  const onPath = await findOnPath(options.env, run.signal);
  if (onPath !== undefined) return onPath;
  const folder = join(options.cacheFolder, `uv-${UV_VERSION}`);
  const binary = join(folder, "bin", "uv");
  if (await versionOf(binary, run.signal)) return binary;
  run.say(`Installing the package installer uv ${UV_VERSION}`);
  await installWithPip(folder, options, run.signal);
  return binary;
}

async function findOnPath(env: Variables, signal: AbortSignal): Promise<string | undefined> {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const binary = join(folder, "uv");
    const version = folder.startsWith("/") ? await versionOf(binary, signal) : undefined;
    if (version !== undefined && isAtLeast(version, UV_MINIMUM_VERSION)) return binary;
  }
  return undefined;
}

async function versionOf(binary: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    await access(binary);
    const result = await runCommand([binary, "--version"], { env: {}, signal });
    return result.exitCode === 0 ? /^uv (\d+\.\d+\.\d+)/.exec(result.stdout)?.[1] : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

export function isAtLeast(version: string, minimum: string): boolean {
  const [one, other] = [version, minimum].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (one?.[index] ?? 0) - (other?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function installWithPip(folder: string, options: UvBinaryOptions, signal: AbortSignal): Promise<void> {
  const temporary = `${folder}.${newShortId()}.new`;
  const requirements = `${temporary}.txt`;
  const problems: string[] = [];
  try {
    await mkdir(options.cacheFolder, { recursive: true, mode: 0o700 });
    await writeFileAtomically(requirements, requirementsText());
    for (const python of options.pythons) {
      const attempt = (program: string) => runPip(program, join(temporary, "uv"), requirements, options.env, signal);
      let result = await attempt(python);
      if (result.tail.some((line) => /No module named pip/.test(line))) {
        const withPip = await virtualEnvironment(python, join(temporary, "venv"), signal);
        if (withPip !== undefined) result = await attempt(withPip);
      }
      if (result.exitCode === 0) return await publish(join(temporary, "uv"), folder, signal);
      problems.push(
        result.tail.findLast((line) => /error|No module/i.test(line)) ?? `pip ended with exit code ${result.exitCode}.`,
      );
    }
    throw uvNotAvailable(
      problems.length === 0 ? "no Python was found." : withoutCredentials([...new Set(problems)].join(" ")),
    );
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await rm(requirements, { force: true });
  }
}

function runPip(
  python: string,
  target: string,
  requirements: string,
  env: Variables,
  signal: AbortSignal,
): Promise<CommandResult> {
  return runCommand(
    [
      ...[python, "-m", "pip", "install", "--quiet", "--target", target, "--no-deps", "--no-compile"],
      ...["--only-binary", ":all:", "--require-hashes", "--requirement", requirements],
    ],
    {
      // As configured by the user, but for what would lead the files elsewhere.
      env: {
        ...env,
        PIP_USER: "0",
        PIP_REQUIRE_VIRTUALENV: "0",
        PIP_ROOT_USER_ACTION: "ignore",
        PIP_DISABLE_PIP_VERSION_CHECK: "1",
        PYTHONPATH: undefined,
      },
      signal,
    },
  );
}

/** Where the system's Python has no pip, Python may bring it along for virtual environments. */
async function virtualEnvironment(python: string, folder: string, signal: AbortSignal): Promise<string | undefined> {
  const made = await runCommand([python, "-I", "-m", "venv", "--clear", folder], { env: {}, signal });
  return made.exitCode === 0 ? join(folder, "bin", "python") : undefined;
}

/** Another process may have been faster; its files are the same. */
async function publish(from: string, to: string, signal: AbortSignal): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const taken = errnoCode(error) === "ENOTEMPTY" || errnoCode(error) === "EEXIST";
    if (!taken) throw error;
    if ((await versionOf(join(to, "bin", "uv"), signal)) !== undefined) return;
    await rm(to, { recursive: true, force: true });
    await rename(from, to);
  }
}

function requirementsText(): string {
  return `uv==${UV_VERSION} ${UV_WHEEL_HASHES.map((hash) => `--hash=sha256:${hash}`).join(" ")}\n`;
}
