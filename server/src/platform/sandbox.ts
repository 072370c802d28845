import { createHash } from "node:crypto";
import { chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bubblewrapArguments, type PlacedFolder, SANDBOX_HOME } from "./bubblewrap.ts";
import { runCommand } from "./child-process.ts";
import { AppError } from "./errors.ts";
import { dropTo, spareUserRange, type UserRange, userOf } from "./sandbox-user.ts";

export interface SandboxRequest {
  readonly command: readonly string[];
  /** the program's environment; `HOME` is set by the sandbox */
  readonly env: Readonly<Record<string, string>>;
  /** whose program it is: the same owner gets the same user id, others another one */
  readonly owner: string;
  /** files and folders that it may read besides the system's programs and libraries */
  readonly readable: readonly string[];
  /** folders that it reads at another path than their own; only an isolation with `placesFolders` can do it */
  readonly placed?: readonly PlacedFolder[];
  /** folders that it may write besides its home; they become its user's */
  readonly writable?: readonly string[];
  readonly workingFolder: string;
  /** folder for the program's private home: made anew, what was in it is deleted */
  readonly home: string;
}

/** How programs of users are kept away from everything that is not theirs. Chosen once, at start. */
export interface Isolation {
  readonly kind: "bubblewrap" | "user" | "none";
  /** programs run under a user id that is not ours */
  readonly changesUser: boolean;
  /** programs can be shown folders at other paths than their own; where not, `placed` of a request does nothing */
  readonly placesFolders: boolean;
  /** one or two sentences for people: what is in force, or why nothing is and what to do */
  readonly description: string;
  /**
   * The command that runs the program isolated. Open file descriptors pass through. Start it with {@link SAFE_ENV} only: the outer
   * programs run with our rights, and variables such as LD_PRELOAD must not reach them.
   *
   * @throws {AppError} EnvironmentVariableInvalid: its name is no identifier, or its value has a NUL
   */
  wrap(request: SandboxRequest): Promise<readonly string[]>;
  /** Deletes the private home that `wrap` made for this `home`, wherever it lies. Gone already is success. */
  discardHome(home: string): Promise<void>;
}

export interface IsolationOptions {
  /** a quick program that needs what others will need, for instance an interpreter that does nothing */
  readonly probeCommand: readonly string[];
  /** folders under which the readable things will lie */
  readonly reach: readonly string[];
  /** folders that no program may see but for what is readable */
  readonly hidden: readonly string[];
  /** kinds to try, best first; all by default */
  readonly kinds?: readonly Isolation["kind"][];
  readonly signal: AbortSignal;
}

/** What programs around the isolated one may see of the environment. */
export const SAFE_ENV: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

const INSTALL_HINT = "Install bubblewrap (Debian and Ubuntu: apt-get install bubblewrap) and start again.";
const PROBE_TIMEOUT_MS = 10_000;

export async function detectIsolation(options: IsolationOptions): Promise<Isolation> {
  const kinds = options.kinds ?? ["bubblewrap", "user"];
  const range = await spareUserRange();
  const reasons: string[] = [];
  if (kinds.includes("bubblewrap")) {
    const isolation = bubblewrapIsolation(range, options.hidden);
    const problem = await problemOf(isolation, ["/bin/sh", "-c", ":"], options.signal);
    if (problem === undefined) return isolation;
    reasons.push(`bubblewrap does not work here: ${problem}`);
  }
  if (kinds.includes("user") && range !== undefined) {
    const isolation = userIsolation(range, reasons);
    const problem = await problemOf(isolation, reaching(options), options.signal);
    if (problem === undefined) return isolation;
    reasons.push(`another user id cannot run it: ${problem}`);
  }
  return noIsolation(reasons);
}

function bubblewrapIsolation(range: UserRange | undefined, hidden: readonly string[]): Isolation {
  const under = range === undefined ? "" : " under user ids of its own";
  return {
    kind: "bubblewrap",
    changesUser: range !== undefined,
    placesFolders: true,
    description: `User code runs in a bubblewrap sandbox${under} and sees nothing but its own files and the system's programs.`,
    async wrap(request) {
      const user = range && userOf(range, request.owner);
      await makeHome(request, request.home, SANDBOX_HOME, user);
      return [
        ...bubblewrapArguments("bwrap", { ...request, hidden }),
        ...(user === undefined ? [] : dropTo("setpriv", user)),
        ...withEnvironment(SANDBOX_HOME, request.command),
      ];
    },
    discardHome,
  };
}

function userIsolation(range: UserRange, reasons: readonly string[]): Isolation {
  return {
    kind: "user",
    changesUser: true,
    placesFolders: false,
    description: `User code runs under user ids of its own, but sees the files of this machine that everybody may read${inBrackets(reasons)}.`,
    async wrap(request) {
      const user = userOf(range, request.owner);
      const home = reachableHome(request.home);
      await makeHome(request, home, home, user);
      return [...dropTo("setpriv", user), ...withEnvironment(home, request.command)];
    },
    discardHome: (home) => rm(reachableHome(home), { recursive: true, force: true }),
  };
}

function noIsolation(reasons: readonly string[]): Isolation {
  return {
    kind: "none",
    changesUser: false,
    placesFolders: false,
    description: `User code is NOT isolated and can do everything that this user can${inBrackets(reasons)}. ${INSTALL_HINT}`,
    async wrap(request) {
      await makeHome(request, request.home, request.home, undefined);
      return withEnvironment(request.home, request.command);
    },
    discardHome,
  };
}

function discardHome(home: string): Promise<void> {
  return rm(home, { recursive: true, force: true });
}

/** For programs of another user: the way to `home` itself leads through folders that are closed to others. */
function reachableHome(home: string): string {
  return join(tmpdir(), `home-${createHash("sha256").update(home).digest("hex").slice(0, 16)}`);
}

function inBrackets(reasons: readonly string[]): string {
  return reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
}

const ENVIRONMENT_FILE = ".environment";

/** Variables come from a file, read after every right is gone: arguments would show secrets to everybody on the machine. */
function withEnvironment(home: string, command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", '. "$1" && shift && exec "$@"', "sh", join(home, ENVIRONMENT_FILE), ...command];
}

/** Made anew each time: whatever a former program left there, a link for instance, must not guide our own writing. */
async function makeHome(request: SandboxRequest, folder: string, homeInside: string, user?: number): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  // Not recursive: a link that somebody put here in the meantime must be an error.
  await mkdir(folder, { mode: 0o700 });
  const file = join(folder, ENVIRONMENT_FILE);
  await writeFile(file, exports({ ...request.env, HOME: homeInside }), { flag: "wx", mode: 0o400 });
  if (user === undefined) return;
  for (const path of [file, folder, ...(request.writable ?? [])]) await chown(path, user, user);
}

function exports(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0")) {
        throw environmentVariableInvalid(name);
      }
      return `export ${name}='${value.replaceAll("'", "'\\''")}'\n`;
    })
    .join("");
}

function environmentVariableInvalid(name: string): AppError {
  return new AppError({
    code: "EnvironmentVariableInvalid",
    kind: "invalid",
    message: `The environment variable ${JSON.stringify(name)} cannot be set. Use letters, digits and underscores for its name, and no NUL in its value.`,
  });
}

function reaching(options: IsolationOptions): readonly string[] {
  const checks = options.reach.map((_, index) => {
    const folder = `"$${index + 1}"`;
    return `{ [ -x ${folder} ] || { echo "it may not enter "${folder}; exit 1; }; }`;
  });
  const script = [...checks, `shift ${options.reach.length}`, 'exec "$@"'].join(" && ");
  return ["/bin/sh", "-c", script, "sh", ...options.reach, ...options.probeCommand];
}

/** @returns undefined when the command ends well, else what it said */
async function problemOf(
  isolation: Isolation,
  command: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "isolation-probe-"));
  const home = join(folder, "home");
  try {
    const wrapped = await isolation.wrap({
      command,
      env: SAFE_ENV,
      owner: "probe",
      readable: [],
      workingFolder: "/",
      home,
    });
    const result = await runCommand(wrapped, {
      env: SAFE_ENV,
      signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]),
    });
    if (result.exitCode === 0) return undefined;
    return result.tail.at(-1) ?? `exit code ${result.exitCode}`;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  } finally {
    await isolation.discardHome(home);
    await rm(folder, { recursive: true, force: true });
  }
}
