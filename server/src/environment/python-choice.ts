import type { VersionClause } from "./version-clauses.ts";

/** A Python interpreter on this machine. */
export interface Interpreter {
  /** the real file, outside any virtual environment */
  readonly path: string;
  /** folder that holds its standard library */
  readonly prefix: string;
  /** X.Y.Z */
  readonly version: string;
  /** operating system, processor and C library, as wheels see them: `linux-x86_64-gnu` */
  readonly platform: string;
  /** whether every user of the machine may run it */
  readonly shared: boolean;
  /** when it stands for one of another machine: that architecture, and its wheels as uv names them */
  readonly foreign?: { readonly architecture: string; readonly wheels: string };
}

export interface PythonWish {
  /** as the user wrote it, for messages */
  readonly text: string;
  readonly clauses: readonly VersionClause[];
}

export interface PythonChoice {
  readonly interpreter: Interpreter;
  readonly exact: boolean;
}

type Release = readonly [major: number, minor: number, patch: number];

/**
 * The interpreter for a wish. Only major and minor version are compared for equality, since packages are made for a minor
 * version. If none fits: the nearest newer one, else the nearest older one.
 *
 * @param found in order of preference: without a wish, the first one's version is taken
 */
export function choosePython(found: readonly Interpreter[], wish: PythonWish | undefined): PythonChoice | undefined {
  const fitting = found.filter(({ version }) => wish === undefined || fits(release(version), wish.clauses));
  const [first] = fitting.length > 0 ? fitting : nearest(found, wish);
  if (first === undefined) return undefined;
  const sameMinor = found.filter(({ version }) => minorOf(version) === minorOf(first.version));
  return { interpreter: sameMinor.find(({ shared }) => shared) ?? first, exact: fitting.length > 0 };
}

/** `3.11` of `3.11.7` */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function nearest(found: readonly Interpreter[], wish: PythonWish | undefined): readonly Interpreter[] {
  const anchor = wish?.clauses.find(({ operator }) => operator !== "!=");
  if (anchor === undefined) return found;
  const wanted = minorNumber(release(anchor.version));
  const distance = ({ version }: Interpreter) => {
    const difference = minorNumber(release(version)) - wanted;
    // Code written for an older Python mostly runs on a newer one; the other way round it does not.
    return difference >= 0 ? difference : 10_000 - difference;
  };
  return [...found].sort((one, other) => distance(one) - distance(other));
}

function fits(version: Release, clauses: readonly VersionClause[]): boolean {
  return clauses.every((clause) => satisfies(version, clause));
}

function satisfies(version: Release, { operator, version: wanted }: VersionClause): boolean {
  const bound = release(wanted);
  const sameMinor = version[0] === bound[0] && (version[1] === bound[1] || !wanted.replace(/\.\*$/, "").includes("."));
  switch (operator) {
    case "==":
      return sameMinor;
    case "!=":
      return !sameMinor;
    case "~=":
      return version[0] === bound[0] && compare(version, bound) >= 0;
    case ">=":
      return compare(version, bound) >= 0;
    case "<=":
      return compare(version, bound) <= 0 || sameMinor;
    case ">":
      return compare(version, bound) > 0;
    case "<":
      return compare(version, bound) < 0;
    default:
      return operator satisfies never;
  }
}

function compare(one: Release, other: Release): number {
  return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
}

function minorNumber([major, minor]: Release): number {
  return major * 1000 + minor;
}

function release(version: string): Release {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
}
