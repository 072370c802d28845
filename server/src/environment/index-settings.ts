import { access } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere } from "../platform/atomic-file.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Environment variables for uv and pip that say where packages come from. */
export interface IndexSettings {
  readonly variables: Readonly<Record<string, string>>;
  /** files and folders of this machine that they name, which a sandbox has to show */
  readonly paths: readonly string[];
}

/** Settings that would change what is installed where; those are ours to decide. */
const OURS =
  /^UV_(CACHE_DIR|NO_CACHE|PYTHON|PYTHON_PREFERENCE|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|PROJECT.*|WORKING_DIR.*|REQUIRE_HASHES|VERIFY_HASHES|NO_VERIFY_HASHES|NO_BUILD.*|NO_BINARY.*|LINK_MODE|COMPILE_BYTECODE|VENV_.*|TARGET|PREFIX|PREVIEW.*|LOG_CONTEXT|NO_PROGRESS|GENERATE_HASHES|NO_HEADER|NO_ANNOTATE|CUSTOM_COMPILE_COMMAND|NO_BUILD_ISOLATION.*|TOOL_.*|PUBLISH_.*|INSTALL_DIR|UNMANAGED_INSTALL|NO_MODIFY_PATH|DRY_RUN)$/;

const NETWORK = /^(https?_proxy|all_proxy|no_proxy|ssl_cert_file|ssl_cert_dir|ssl_client_cert|netrc)$/i;

/**
 * uv's own variables as they are; where they are silent, what pip would take: its variables first, then its configuration files.
 * Values may hold credentials: never print them.
 */
export async function readIndexSettings(env: Variables): Promise<IndexSettings> {
  const variables: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    if (value !== undefined && value !== "" && ((key.startsWith("UV_") && !OURS.test(key)) || NETWORK.test(key)))
      variables[key] = value;
  }
  const pip = await readPipConfiguration(env);
  const fill = (keys: readonly [string, ...string[]], ...values: readonly (string | undefined)[]) => {
    const value = values.find((one) => one !== undefined && one.trim() !== "");
    if (value !== undefined && keys.every((key) => variables[key] === undefined)) variables[keys[0]] = value.trim();
  };
  fill(["UV_DEFAULT_INDEX", "UV_INDEX_URL"], env.PIP_INDEX_URL, pip["index-url"]);
  fill(["UV_INDEX", "UV_EXTRA_INDEX_URL"], env.PIP_EXTRA_INDEX_URL, pip["extra-index-url"]);
  fill(["UV_FIND_LINKS"], commas(env.PIP_FIND_LINKS), commas(pip["find-links"]));
  fill(["SSL_CERT_FILE"], env.PIP_CERT, pip.cert, env.REQUESTS_CA_BUNDLE, env.CURL_CA_BUNDLE);
  fill(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"], env.PIP_PROXY, pip.proxy);
  fill(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"], env.PIP_PROXY, pip.proxy);
  if (isOn(env.PIP_NO_INDEX ?? pip["no-index"])) fill(["UV_NO_INDEX"], "1");
  const configuration = env.XDG_CONFIG_HOME ?? join(env.HOME ?? "", ".config");
  variables.XDG_CONFIG_HOME = configuration;
  return { variables, paths: await existing([...localPaths(variables), join(configuration, "uv"), "/etc/uv"]) };
}

/** In words for an error: which settings were in force, without credentials. */
export function describeIndexSettings({ variables }: IndexSettings): string {
  const names = [
    "UV_DEFAULT_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX",
    "UV_FIND_LINKS",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
  ];
  const set = names.flatMap((name) =>
    variables[name] === undefined ? [] : [`${name}=${withoutCredentials(variables[name])}`],
  );
  return set.length === 0
    ? "No index and no proxy is set, so the public index was asked directly."
    : `In force: ${set.join(", ")}.`;
}

export function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^@/\s]+@/g, "//***@");
}

/** The `[global]` and `[install]` parts of pip's files, later files first. */
async function readPipConfiguration(env: Variables): Promise<Readonly<Record<string, string | undefined>>> {
  const home = env.HOME ?? "";
  const files =
    env.PIP_CONFIG_FILE === undefined
      ? [
          "/etc/pip.conf",
          join(home, ".pip", "pip.conf"),
          join(env.XDG_CONFIG_HOME ?? join(home, ".config"), "pip", "pip.conf"),
        ]
      : [env.PIP_CONFIG_FILE];
  const found: Record<string, string> = {};
  for (const file of files) {
    const text = file === "/dev/null" ? undefined : await readFileIfThere(file).catch(() => undefined);
    Object.assign(found, parsePipConfiguration(text ?? ""));
  }
  return found;
}

export function parsePipConfiguration(text: string): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  let section = "";
  let key = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    const pair = /^([A-Za-z][\w-]*)\s*[=:]\s*(.*)$/.exec(line);
    if (header !== undefined) section = header.trim();
    else if (section !== "global" && section !== "install") continue;
    else if (pair?.[1] !== undefined) {
      key = pair[1].toLowerCase().replaceAll("_", "-");
      settings[key] = (pair[2] ?? "").trim();
    } else if (/^\s/.test(line) && key !== "") settings[key] = `${settings[key] ?? ""} ${line.trim()}`.trim();
  }
  return settings;
}

/** pip separates by spaces, uv wants commas here. */
function commas(value: string | undefined): string | undefined {
  return value?.trim().split(/\s+/).join(",");
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(1|true|yes|on)$/i.test(value.trim());
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  return [...new Set(found.filter((path) => path !== undefined))];
}

function localPaths(variables: Readonly<Record<string, string>>): readonly string[] {
  const lists = ["UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX"].flatMap((name) =>
    (variables[name] ?? "").split(/[\s,]+/),
  );
  const single = ["SSL_CERT_FILE", "SSL_CLIENT_CERT", "NETRC", "UV_CONFIG_FILE"].map((name) => variables[name] ?? "");
  const folders = (variables.SSL_CERT_DIR ?? "").split(":");
  return [...lists, ...single, ...folders]
    .map((path) => path.replace(/^file:\/\//, ""))
    .filter((path) => path.startsWith("/"));
}
