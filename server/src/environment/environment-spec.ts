import { parseCondaFile } from "./conda-file.ts";
import type { CondaSpec } from "./conda-spec.ts";
import { pypiCounterpart } from "./conda-to-pypi.ts";
import type { EnvironmentRequest } from "./environment.ts";
import { condaFileInvalid } from "./environment-errors.ts";
import { type PipRequirements, parsePipRequirements } from "./pip-requirements.ts";
import type { PythonWish } from "./python-choice.ts";
import { formatClauses, parseCondaVersion, type VersionClause } from "./version-clauses.ts";

/** An {@link EnvironmentRequest}, checked and brought into one form. */
export interface EnvironmentSpec {
  readonly python: PythonWish | undefined;
  /** names and addresses as in the conda file, best first */
  readonly channels: readonly string[];
  /** everything that is asked of conda, Python included */
  readonly condaPackages: readonly CondaSpec[];
  readonly pip: PipRequirements;
}

/** What Python package indexes are asked for. Equal ones need equal packages. */
export interface PypiSpec {
  /** PEP 508, sorted, each once */
  readonly requirements: readonly string[];
  /** arguments for the resolver that the requirements bring along */
  readonly options: readonly string[];
  /** conda packages that are taken from there instead, in words */
  readonly taken: readonly string[];
  /** for the build log only */
  readonly notes: readonly string[];
}

/** What conda files hold to have a Python at all. */
const PYTHON_ALONE = new Set(["python", "pip"]);

/** @throws {AppError} CondaFileInvalid, RequirementInvalid */
export function environmentSpec(request: EnvironmentRequest): EnvironmentSpec {
  const conda = parseCondaFile(request.condaFile ?? "");
  return {
    python: pythonWish(conda.dependencies, request.pythonVersion),
    channels: conda.channels,
    condaPackages: conda.dependencies,
    pip: parsePipRequirements([...conda.pipLines, ...(request.pipRequirements ?? "").split(/\r?\n/)]),
  };
}

/** Whether conda is asked for nothing but Python, which may be here already. */
export function asksForPythonAlone({ condaPackages }: EnvironmentSpec): boolean {
  return condaPackages.every(({ name }) => PYTHON_ALONE.has(name));
}

/**
 * The same wish for Python package indexes, as far as they have it.
 *
 * @throws {AppError} CondaFileInvalid: something that only conda has
 */
export function pypiSpec({ condaPackages, pip }: EnvironmentSpec): PypiSpec {
  const requirements: string[] = [];
  const taken: string[] = [];
  const ignored: string[] = [];
  for (const spec of condaPackages) {
    const counterpart = pypiCounterpart(spec.name);
    switch (counterpart.kind) {
      case "ignored":
        if (!PYTHON_ALONE.has(spec.name)) ignored.push(spec.name);
        break;
      case "unsupported":
        throw condaFileInvalid(`its dependency "${spec.text}" is not supported. ${counterpart.reason}`);
      case "package":
        requirements.push(`${counterpart.name}${formatClauses(clausesOf(spec))}`);
        taken.push(counterpart.name === spec.name ? spec.name : `${spec.name} (as ${counterpart.name})`);
        break;
      default:
        counterpart satisfies never;
    }
  }
  const left = `Left out, since Python packages bring what they need of it: ${ignored.join(", ")}.`;
  return {
    requirements: [...new Set([...requirements, ...pip.requirements])].sort(),
    options: pip.options,
    taken,
    notes: ignored.length === 0 ? [] : [left],
  };
}

function clausesOf({ text, clauses }: CondaSpec): readonly VersionClause[] {
  if (clauses !== undefined) return clauses;
  throw condaFileInvalid(
    `its dependency "${text}" has a version that is not supported without a conda channel; write it as in "numpy=1.26", "numpy==1.26.4" or "numpy>=1.20,<2".`,
  );
}

function pythonWish(dependencies: readonly CondaSpec[], version: string | undefined): PythonWish | undefined {
  const spec = dependencies.find(({ name }) => name === "python");
  const clauses = spec === undefined ? [] : clausesOf(spec);
  if (spec !== undefined && clauses.length > 0) {
    return { text: spec.text.replace(/^.*::/, "").replace(/^python\s*=*\s*/i, ""), clauses };
  }
  if (version === undefined || version.trim() === "") return undefined;
  const wanted = /^\d+(\.\d+){0,2}$/.test(version.trim()) ? parseCondaVersion(version) : undefined;
  if (wanted === undefined)
    throw condaFileInvalid(`its Python version "${version.slice(0, 40)}" is not of the form 3.11 or 3.11.7.`);
  return { text: version.trim(), clauses: wanted };
}
