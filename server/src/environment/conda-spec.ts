import { condaFileInvalid } from "./environment-errors.ts";
import { parseCondaVersion, type VersionClause } from "./version-clauses.ts";

/** One line of `dependencies:`, a conda match spec. */
export interface CondaSpec {
  readonly text: string;
  readonly name: string;
  readonly channel: string | undefined;
  /** what conda's own solver is given: the text without its channel */
  readonly matchSpec: string;
  /** undefined when only conda can say it, such as the alternatives of `1.2|1.4` */
  readonly clauses: readonly VersionClause[] | undefined;
  /** build string, which has no meaning outside conda */
  readonly build: string | undefined;
}

const MAX_SPEC_LENGTH = 200;
const NAME = /^[a-z0-9_][a-z0-9._-]*$/;
const BUILD = /^[A-Za-z0-9_.*+]+$/;
/** Others lead past the channels, or mean nothing here. */
const FIELDS = new Set(["version", "build", "build_number", "channel"]);
const CHANNEL = /^(?:(?<channel>[^\s[\]]+)::)?(?<rest>.*)$/s;

/**
 * Reads `name`, `name=1.2`, `name 1.2 build`, `name>=1,<2`, `channel::name`, `name[version='>=1', build=x]`.
 *
 * @throws {AppError} CondaFileInvalid
 */
export function parseCondaSpec(line: string): CondaSpec {
  const text = line.trim();
  const invalid = (problem: string) =>
    condaFileInvalid(`its dependency "${text.slice(0, MAX_SPEC_LENGTH)}" ${problem}.`);
  if (text.length > MAX_SPEC_LENGTH) throw invalid("is too long");
  if (!/^[\x20-\x7e]*$/.test(text)) throw invalid("has characters that no package or version has");
  const bracket = /^([^[\]]*)\[([^[\]]*)\]$/.exec(text);
  const fields = bracket?.[2] === undefined ? {} : parseFields(bracket[2]);
  const { channel, rest } = CHANNEL.exec((bracket?.[1] ?? text).trim())?.groups ?? {};
  const parts = /^([^\s=<>!~,]+)\s*(.*)$/s.exec(rest ?? "");
  const name = parts?.[1]?.toLowerCase();
  if (name === undefined || !NAME.test(name)) throw invalid("does not begin with the name of a package");
  const written = splitBuild((parts?.[2] ?? "").trim());
  const unknown = Object.keys(fields).find((key) => !FIELDS.has(key));
  if (unknown !== undefined) throw invalid(`has a field ${unknown}, which is not supported`);
  const alternatives = (fields.version ?? written.version).split("|").map(parseCondaVersion);
  if (alternatives.includes(undefined))
    throw invalid(
      'has a version that is not supported; write it as in "numpy=1.26", "numpy==1.26.4" or "numpy>=1.20,<2"',
    );
  const clauses = alternatives.length === 1 ? alternatives[0] : undefined;
  const build = fields.build ?? written.build;
  if (build !== undefined && !BUILD.test(build))
    throw invalid("has something after its version that is no build string");
  const inBrackets = Object.entries(fields).filter(([key]) => key !== "channel");
  const brackets = inBrackets.map(([key, value]) => `${key}="${value}"`).join(", ");
  const matchSpec = `${(rest ?? "").trim()}${brackets === "" ? "" : `[${brackets}]`}`;
  return { text, name, channel: fields.channel ?? channel, matchSpec, clauses, build };
}

/** `=1.2=py36_0` and `1.2 py36_0`: version first, then the build string. */
function splitBuild(text: string): { readonly version: string; readonly build: string | undefined } {
  const tight = text.replace(/\s*([=<>!~,|]+)\s*/g, "$1");
  const [first = "", second] = tight.split(/\s+/);
  if (second !== undefined) return { version: first, build: second };
  const match = /^(={1,2}[^=<>!~,|]+)=([^=<>!~,|]+)$/.exec(first);
  return match?.[1] === undefined ? { version: first, build: undefined } : { version: match[1], build: match[2] };
}

function parseFields(text: string): Readonly<Record<string, string | undefined>> {
  const fields = new Map<string, string>();
  for (const match of text.matchAll(/(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s,]+))/g)) {
    const [, key, double, single, bare] = match;
    if (key !== undefined) fields.set(key, double ?? single ?? bare ?? "");
  }
  return Object.fromEntries(fields);
}
