import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CliError } from "./cli-error.ts";
import { reasonOf } from "./files/file-error.ts";

/** How commands are told where the server is. */
export interface ConnectionOptions {
  readonly data?: string;
  readonly url?: string;
  readonly ca?: string;
  readonly token?: string;
}

/** Where the server is, and how to sign in there. */
export interface Connection {
  readonly url: string;
  /** PEM of the certificate authority to trust; the system's own if there is none */
  readonly ca: string | undefined;
  /** the same as a file, for `curl --cacert` */
  readonly caFile: string | undefined;
  readonly credential: Credential;
}

/** A token as it is, the address that gives tokens to this machine's users, or a service principal. */
type Credential =
  | { readonly token: string }
  | { readonly tokenUrl: string }
  | { readonly clientId: string; readonly clientSecret: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** The data folder that `slipway up` uses if it is told nothing else. */
export function dataFolder(options: Pick<ConnectionOptions, "data">, env: Environment): string {
  return resolve(options.data ?? setting(env, "SLIPWAY_DATA") ?? join(homedir(), ".slipway"));
}

/** Where `slipway login` keeps what it learnt. */
export function loginFile(env: Environment): string {
  return join(setting(env, "XDG_CONFIG_HOME") ?? join(homedir(), ".config"), "slipway", "login.json");
}

/**
 * The first that applies: `--url`, a data folder that was named, `SLIPWAY_URL`, a saved login, the default data folder.
 *
 * @throws {CliError} NoServerKnown, ConnectionFileInvalid
 */
export async function findConnection(options: ConnectionOptions, env: Environment): Promise<Connection> {
  if (options.url !== undefined) return explicitConnection(options.url, options, env);
  if (options.data !== undefined || setting(env, "SLIPWAY_DATA") !== undefined)
    return localConnection(dataFolder(options, env));
  const url = setting(env, "SLIPWAY_URL");
  if (url !== undefined) return explicitConnection(url, options, env);
  return (await savedLogin(loginFile(env))) ?? localConnection(dataFolder(options, env));
}

/** A variable that is set to nothing is not set. */
function setting(env: Environment, name: string): string | undefined {
  return env[name] || undefined;
}

async function explicitConnection(url: string, options: ConnectionOptions, env: Environment): Promise<Connection> {
  const token = options.token ?? setting(env, "SLIPWAY_TOKEN");
  if (token === undefined)
    throw new CliError(
      "TokenMissing",
      "usage",
      `An address needs a token beside it: give --token or SLIPWAY_TOKEN, or run \`slipway login ${url}\` once.`,
    );
  const file = options.ca ?? setting(env, "SLIPWAY_CA");
  const caFile = file === undefined ? undefined : resolve(file);
  return { url, ca: caFile === undefined ? undefined : await readCa(caFile), caFile, credential: { token } };
}

async function localConnection(folder: string): Promise<Connection> {
  const file = join(folder, "client.json");
  const value = await readJsonFile(file);
  if (value === undefined)
    throw new CliError(
      "NoServerKnown",
      "unreachable",
      `There is no Slipway server in ${folder}. Start one with \`slipway up\`, name its folder with --data, or sign in to another machine with \`slipway login URL\`.`,
    );
  const caFile = text(value, "caFile", file);
  return {
    url: text(value, "url", file),
    ca: await readCa(caFile),
    caFile,
    credential: { tokenUrl: text(value, "tokenUrl", file) },
  };
}

async function savedLogin(file: string): Promise<Connection | undefined> {
  const value = await readJsonFile(file);
  if (value === undefined) return undefined;
  const ca = typeof value.ca === "string" && value.ca !== "" ? value.ca : undefined;
  return {
    url: text(value, "url", file),
    ca,
    caFile: typeof value.caFile === "string" ? value.caFile : undefined,
    credential: { clientId: text(value, "clientId", file), clientSecret: text(value, "clientSecret", file) },
  };
}

async function readCa(file: string): Promise<string> {
  let pem: string;
  try {
    pem = await readFile(file, "utf8");
  } catch (error) {
    throw new CliError(
      "CaNotReadable",
      "unreachable",
      `The certificate authority ${file} cannot be read: ${reasonOf(error)}.`,
      error,
    );
  }
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw new CliError("CaNotReadable", "unreachable", `${file} holds no certificate in PEM form.`);
}

/** Undefined if there is no such file. */
async function readJsonFile(file: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let content: string;
  try {
    content = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CliError("ConnectionFileInvalid", "unreachable", `${file} cannot be read: ${reasonOf(error)}.`, error);
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below, in the same words as for JSON that is no object.
  }
  throw new CliError(
    "ConnectionFileInvalid",
    "unreachable",
    `${file} is damaged. Remove it, then start or sign in again.`,
  );
}

function text(value: Readonly<Record<string, unknown>>, key: string, file: string): string {
  const found = value[key];
  if (typeof found === "string" && found !== "") return found;
  throw new CliError(
    "ConnectionFileInvalid",
    "unreachable",
    `${file} has no "${key}". Remove it, then start or sign in again.`,
  );
}
