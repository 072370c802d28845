import { requirementInvalid } from "./environment-errors.ts";

/** What the lines of a pip section or a requirements file ask for, checked. */
export interface PipRequirements {
  /** PEP 508, one each */
  readonly requirements: readonly string[];
  /** arguments for the resolver: `["--extra-index-url", "https://…"]` */
  readonly options: readonly string[];
  /** what is left out on purpose, in words */
  readonly notes: readonly string[];
}

const MAX_LINE_LENGTH = 2000;
const NAME = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?/i;
const SPECIFIER = /^(===|==|!=|>=|<=|~=|>|<)\s*[a-z0-9.*+!_-]+$/i;
/** of a marker such as `python_version >= "3.8" and sys_platform == 'linux'` without its quoted texts */
const MARKER_WORDS = /^[a-z_.<>=!~()\s]*$/i;
const QUOTED = /"[^"\\$]*"|'[^'\\$]*'/g;
const HTTP_URL = /^https?:\/\/[^\s"'\\$<>]+$/i;
const ARCHIVE = /\.(whl|tar\.gz|zip)(#\S*)?$/i;
/** The client sends it with every image; it belongs to the cloud's own serving stack and is not needed to run one. */
const GENERATED_BY_CLIENT = "azureml-model-management-sdk";

/** @throws {AppError} RequirementInvalid */
export function parsePipRequirements(lines: readonly string[]): PipRequirements {
  const requirements: string[] = [];
  const options: string[] = [];
  const notes: string[] = [];
  for (const written of joinContinued(lines)) {
    const line = withoutComment(written);
    if (line === "") continue;
    if (line.length > MAX_LINE_LENGTH) throw requirementInvalid(line, "it is too long.");
    if (/[\0\r\n]/.test(line) || line.includes("${")) {
      throw requirementInvalid(line, "control characters and variables are not allowed.");
    }
    if (line.startsWith("-")) options.push(...parseOption(line));
    else if (normalizeName(NAME.exec(line)?.[0] ?? "") === GENERATED_BY_CLIENT) {
      notes.push(`Left out ${line}: the client adds it by itself and nothing here needs it.`);
    } else requirements.push(parseRequirement(line));
  }
  return { requirements, options, notes };
}

/** PEP 503: the one spelling of a package's name. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

function joinContinued(lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.replace(/\\\r?\n/g, " ").split(/\r?\n/));
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, "").trim();
}

function parseOption(line: string): readonly string[] {
  const match = /^(--?[a-z-]+)(?:[=\s]\s*(\S+))?$/i.exec(line);
  const [, option, value] = match ?? [];
  const withUrl = (flag: string) => {
    if (value !== undefined && HTTP_URL.test(value)) return [flag, value];
    throw requirementInvalid(line, "it needs one http or https address; folders of the server are not read.");
  };
  switch (option) {
    case "--extra-index-url":
      return withUrl("--index");
    case "--index-url":
    case "-i":
      return withUrl("--default-index");
    case "--find-links":
    case "-f":
      return withUrl("--find-links");
    case "--pre":
      return ["--prerelease", "allow"];
    case "--prefer-binary":
    case "--trusted-host":
      return [];
    case "-e":
    case "--editable":
      throw requirementInvalid(
        line,
        "editable packages are not supported. Name a released package, or add the code as a dependency of the image.",
      );
    case "-r":
    case "--requirement":
    case "-c":
    case "--constraint":
      throw requirementInvalid(line, "other requirement files are not read. Put their lines into the conda file.");
    default:
      throw requirementInvalid(
        line,
        "this option is not supported. Supported are --index-url, --extra-index-url, --find-links and --pre.",
      );
  }
}

function parseRequirement(line: string): string {
  if (/^(git|hg|svn|bzr)\+/i.test(line) || /@\s*(git|hg|svn|bzr)\+/i.test(line)) {
    throw requirementInvalid(
      line,
      "packages from version control are not supported. Name a released package or the address of a wheel.",
    );
  }
  if (HTTP_URL.test(line)) return checkedArchive(line, line);
  const name = NAME.exec(line)?.[0];
  if (name === undefined || /^file:/i.test(line)) {
    throw requirementInvalid(
      line,
      "it does not begin with the name of a package; files and folders of the server are not read.",
    );
  }
  const [, extras = "", rest = ""] = /^\s*(\[[a-z0-9._,\s-]*\])?\s*(.*)$/is.exec(line.slice(name.length)) ?? [];
  if (rest.startsWith("@")) {
    const [address = "", marker] = rest.slice(1).split(/\s+;\s*/);
    return `${name}${extras} @ ${checkedArchive(address.trim(), line)}${checkedMarker(marker, line)}`;
  }
  const [specifiers = "", marker, ...more] = rest.split(";");
  if (more.length > 0) throw requirementInvalid(line, "it has more than one marker.");
  return `${name}${extras}${checkedSpecifiers(specifiers, line)}${checkedMarker(marker, line)}`;
}

function checkedArchive(address: string, line: string): string {
  if (!HTTP_URL.test(address))
    throw requirementInvalid(line, "only http and https addresses are allowed; files of the server are not read.");
  if (!ARCHIVE.test(address.replace(/\?.*$/, "")))
    throw requirementInvalid(line, "the address must be that of a wheel or a source archive.");
  return address;
}

function checkedSpecifiers(text: string, line: string): string {
  const inner = text.trim().replace(/^\((.*)\)$/, "$1");
  if (inner === "") return "";
  const parts = inner.split(",").map((part) => part.trim());
  if (parts.some((part) => !SPECIFIER.test(part))) {
    throw requirementInvalid(line, 'its version cannot be read; write it as in "numpy==1.26.4" or "numpy>=1.20,<2".');
  }
  return parts.map((part) => part.replace(/\s+/g, "")).join(",");
}

function checkedMarker(marker: string | undefined, line: string): string {
  if (marker === undefined || marker.trim() === "") return "";
  if (!MARKER_WORDS.test(marker.replace(QUOTED, " "))) throw requirementInvalid(line, "its marker cannot be read.");
  return ` ; ${marker.trim()}`;
}
