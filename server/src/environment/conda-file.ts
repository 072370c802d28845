import { isAlias, parseDocument, visit } from "yaml";
import { type CondaSpec, parseCondaSpec } from "./conda-spec.ts";
import { condaFileInvalid } from "./environment-errors.ts";

export interface CondaFile {
  readonly name: string | undefined;
  readonly channels: readonly string[];
  readonly dependencies: readonly CondaSpec[];
  /** lines of the pip section, as written */
  readonly pipLines: readonly string[];
}

const MAX_BYTES = 1024 * 1024;
const MAX_DEPENDENCIES = 2000;
/** Each use of an alias copies what it stands for; this many are more than any honest file has. */
const MAX_ALIASES = 50;

/** @throws {AppError} CondaFileInvalid */
export function parseCondaFile(text: string): CondaFile {
  const root = readYaml(text);
  if (root === null || root === undefined) return { name: undefined, channels: [], dependencies: [], pipLines: [] };
  if (!isMapping(root)) throw condaFileInvalid('it must be a mapping with a list "dependencies".');
  const { dependencies = [], channels = [], name } = root;
  if (dependencies !== null && !Array.isArray(dependencies)) throw condaFileInvalid('"dependencies" must be a list.');
  const entries: readonly unknown[] = dependencies ?? [];
  if (entries.length > MAX_DEPENDENCIES) throw condaFileInvalid(`it has more than ${MAX_DEPENDENCIES} dependencies.`);
  return {
    name: typeof name === "string" ? name : undefined,
    channels: Array.isArray(channels) ? channels.filter((channel) => typeof channel === "string") : [],
    dependencies: entries.filter((entry) => typeof entry === "string").map(parseCondaSpec),
    pipLines: entries.filter((entry) => typeof entry !== "string").flatMap(pipSection),
  };
}

function readYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) throw condaFileInvalid("it is larger than 1 MiB.");
  const document = parseDocument(text, { schema: "core", stringKeys: true, logLevel: "silent" });
  const [error] = document.errors;
  if (error !== undefined) throw condaFileInvalid(`it is not YAML (${firstLine(error.message)}).`, error);
  let aliases = 0;
  visit(document, {
    Node(_key, node) {
      if (isAlias(node)) aliases++;
    },
  });
  if (aliases > MAX_ALIASES) throw condaFileInvalid(`it uses more than ${MAX_ALIASES} YAML aliases.`);
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw condaFileInvalid(
      `it is not usable YAML (${cause instanceof Error ? firstLine(cause.message) : "unknown"}).`,
      cause,
    );
  }
}

function pipSection(entry: unknown): readonly string[] {
  if (!isMapping(entry) || Object.keys(entry).some((key) => key !== "pip")) {
    throw condaFileInvalid(
      'each entry of "dependencies" must be a text such as "numpy=1.26" or a mapping "pip:" with a list.',
    );
  }
  const { pip } = entry;
  if (pip === null) return [];
  if (!Array.isArray(pip)) throw condaFileInvalid('"pip:" must be a list.');
  if (pip.length > MAX_DEPENDENCIES) throw condaFileInvalid(`"pip:" has more than ${MAX_DEPENDENCIES} entries.`);
  return pip.map((line: unknown) => {
    if (typeof line !== "string")
      throw condaFileInvalid(`"pip:" must hold texts, not ${JSON.stringify(line)?.slice(0, 80)}.`);
    return line;
  });
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/:$/, "");
}
