/** One comparison of a version specifier, as both conda and PEP 440 have it. */
export interface VersionClause {
  readonly operator: "==" | "!=" | ">=" | "<=" | ">" | "<" | "~=";
  /** may end in `.*` after `==` and `!=` */
  readonly version: string;
}

/** PEP 440 without epochs and local versions of exotic spelling; what does not match is refused rather than guessed. */
const VERSION =
  /^\d+(\.\d+)*((a|b|rc|alpha|beta|c|pre|preview)\d*)?([.-]?(post|rev|r)\d*)?(\.?dev\d*)?(\+[a-z0-9]+([.][a-z0-9]+)*)?$/i;
const PLAIN = /^\d+(\.\d+)*$/;

/**
 * Reads the version part of a conda match spec: `1.2`, `=1.2` (any 1.2.x), `==1.2`, `>=1.2,<2`, `1.2.*`.
 *
 * @returns undefined when it cannot be said as PEP 440, such as the alternatives of `1.2|1.4`
 */
export function parseCondaVersion(text: string): readonly VersionClause[] | undefined {
  const clauses: VersionClause[] = [];
  for (const part of text.split(",")) {
    const clause = parseClause(part.trim());
    if (clause === undefined) return undefined;
    if (clause !== "any") clauses.push(clause);
  }
  return clauses;
}

function parseClause(part: string): VersionClause | "any" | undefined {
  if (part === "" || part === "*") return "any";
  const match = /^(==|!=|>=|<=|~=|=|>|<)?\s*(.+)$/.exec(part);
  const [, operator, version] = match ?? [];
  if (version === undefined) return undefined;
  const star = /\.?\*$/.test(version);
  const stem = version.replace(/\.?\*$/, "");
  if (version === "*" && (operator === "=" || operator === "==")) return "any";
  if (!VERSION.test(stem)) return undefined;
  switch (operator) {
    case undefined:
    case "==":
      return { operator: "==", version: star ? prefixOf(stem) : stem };
    case "=":
      return { operator: "==", version: prefixOf(stem) };
    case "!=":
      return { operator, version: star ? prefixOf(stem) : stem };
    case ">=":
    case "<=":
    case ">":
    case "<":
    case "~=":
      return { operator, version: stem };
    default:
      return undefined;
  }
}

/** PEP 440 allows `.*` after plain release numbers only. */
function prefixOf(version: string): string {
  return PLAIN.test(version) ? `${version}.*` : version;
}

export function formatClauses(clauses: readonly VersionClause[]): string {
  return clauses.map(({ operator, version }) => `${operator}${version}`).join(",");
}
