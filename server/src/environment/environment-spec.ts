import { type CondaFile, parseCondaFile } from "./conda-file.ts";
import type { CondaSpec } from "./conda-spec.ts";
import { pypiCounterpart } from "./conda-to-pypi.ts";
import type { EnvironmentRequest } from "./environment.ts";
import { condaFileInvalid } from "./environment-errors.ts";
import { parsePipRequirements } from "./pip-requirements.ts";
import type { PythonWish } from "./python-choice.ts";
import { formatClauses, parseCondaVersion } from "./version-clauses.ts";

/** An {@link EnvironmentRequest}, checked and brought into one form. Equal specs need equal packages. */
export interface EnvironmentSpec {
  readonly python: PythonWish | undefined;
  /** PEP 508, sorted, each once */
  readonly requirements: readonly string[];
  /** arguments for the resolver that the requirements bring along */
  readonly options: readonly string[];
  readonly warnings: readonly string[];
  /** for the build log only */
  readonly notes: readonly string[];
}

/** @throws {AppError} CondaFileInvalid, RequirementInvalid */
export function environmentSpec(request: EnvironmentRequest): EnvironmentSpec {
  const conda = parseCondaFile(request.condaFile ?? "");
  const fromConda = mapCondaPackages(conda);
  const pip = parsePipRequirements([...conda.pipLines, ...(request.pipRequirements ?? "").split(/\r?\n/)]);
  return {
    python: pythonWish(conda.dependencies, request.pythonVersion),
    requirements: [...new Set([...fromConda.requirements, ...pip.requirements])].sort(),
    options: pip.options,
    warnings: fromConda.warnings,
    notes: [...fromConda.notes, ...pip.notes],
  };
}

function mapCondaPackages(conda: CondaFile): Pick<EnvironmentSpec, "requirements" | "warnings" | "notes"> {
  const requirements: string[] = [];
  const taken: string[] = [];
  const ignored: string[] = [];
  for (const spec of conda.dependencies) {
    const counterpart = pypiCounterpart(spec.name);
    switch (counterpart.kind) {
      case "ignored":
        if (spec.name !== "python" && spec.name !== "pip") ignored.push(spec.name);
        break;
      case "unsupported":
        throw condaFileInvalid(`its dependency "${spec.text}" is not supported. ${counterpart.reason}`);
      case "package":
        requirements.push(`${counterpart.name}${formatClauses(spec.clauses)}`);
        taken.push(counterpart.name === spec.name ? spec.name : `${spec.name} (as ${counterpart.name})`);
        break;
      default:
        counterpart satisfies never;
    }
  }
  return {
    requirements,
    warnings:
      taken.length === 0
        ? []
        : [`Conda packages were taken from the Python package index instead of conda channels: ${taken.join(", ")}.`],
    notes:
      ignored.length === 0
        ? []
        : [`Left out, since Python packages bring what they need of it: ${ignored.join(", ")}.`],
  };
}

function pythonWish(dependencies: readonly CondaSpec[], version: string | undefined): PythonWish | undefined {
  const spec = dependencies.find(({ name }) => name === "python");
  if (spec !== undefined && spec.clauses.length > 0) {
    return { text: spec.text.replace(/^.*::/, "").replace(/^python\s*=*\s*/i, ""), clauses: spec.clauses };
  }
  if (version === undefined || version.trim() === "") return undefined;
  const clauses = /^\d+(\.\d+){0,2}$/.test(version.trim()) ? parseCondaVersion(version) : undefined;
  if (clauses === undefined)
    throw condaFileInvalid(`its Python version "${version.slice(0, 40)}" is not of the form 3.11 or 3.11.7.`);
  return { text: version.trim(), clauses };
}
