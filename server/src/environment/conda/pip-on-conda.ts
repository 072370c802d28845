import { join } from "node:path";
import { formatLock, parseLock } from "../lock.ts";
import type { RunContext, Uv } from "../uv.ts";
import { uvFailure, uvFailureContext } from "../uv-failure.ts";
import type { PipPython } from "./pip-python.ts";

export interface PipPlanRequest {
  /** PEP 508 */
  readonly requirements: readonly string[];
  readonly options: readonly string[];
  /** sees the environment of conda packages; what they provide counts as installed */
  readonly python: PipPython;
  readonly workFolder: string;
  readonly indexDescription: string;
}

/**
 * What pip would add to an environment of conda packages: they stay where they fit, and give way where a requirement says
 * otherwise. uv decides it as for an installation, then adds the hashes.
 *
 * @returns lock of the added packages, requirements.txt format
 * @throws {AppError} EnvironmentUnsolvable, EnvironmentIndexUnreachable, PackageBuildFailed
 */
export async function planPip(uv: Uv, request: PipPlanRequest, context: RunContext): Promise<string> {
  const { options, requirements, workFolder, indexDescription } = request;
  const { interpreter, readable, arguments: platform } = request.python;
  const isolated = { cache: "metadata", interpreter, readable, home: join(workFolder, "home"), writable: [] } as const;
  const failure = (output: readonly string[]) =>
    uvFailure(output, { ...uvFailureContext(interpreter, indexDescription), remark: " beside the conda packages" });
  const quiet: RunContext = { signal: context.signal, say() {} };
  const plan = await uv.runIsolated(
    [
      ...["pip", "install", "--dry-run", "--python", interpreter.path, "--break-system-packages"],
      ...[...platform, ...options],
      ...["--requirement", "-"],
    ],
    lines(requirements),
    isolated,
    quiet,
  );
  if (!plan.ok) throw failure(plan.output);
  const { added, removed } = readPlan(plan.output);
  for (const name of removed) {
    if (added.some(({ name: one }) => one === name)) context.say(`Warning: pip replaces conda's package ${name}.`);
  }
  if (added.length === 0) return "";
  const pinned = added.map(({ text }) => text);
  const compiled = await uv.runIsolated(
    [
      ...["pip", "compile", "--python", interpreter.path, "--no-deps", "--generate-hashes", "--no-header"],
      ...["--no-annotate", ...platform, ...options, "-"],
    ],
    lines(pinned),
    isolated,
    quiet,
  );
  if (!compiled.ok) throw failure(compiled.output);
  context.say(
    `Resolved ${added.length === 1 ? "1 package" : `${added.length} packages`} for pip beside the conda packages.`,
  );
  return formatLock(parseLock(compiled.stdout));
}

/** Lines such as ` + numpy==1.26.4`, ` - numpy==1.20.0` and ` + six==1.17.0 (from https://…)`. */
function readPlan(output: readonly string[]) {
  const changes = output.flatMap((line) => {
    const [, sign, name, version, address] =
      /^\s*([+~-])\s+([A-Za-z0-9._-]+)==(\S+)(?:\s+\(from (\S+)\))?\s*$/.exec(line) ?? [];
    if (sign === undefined || name === undefined || version === undefined) return [];
    return [{ sign, name, text: address === undefined ? `${name}==${version}` : `${name} @ ${address}` }];
  });
  return {
    added: changes.filter(({ sign }) => sign !== "-"),
    removed: changes.filter(({ sign }) => sign === "-").map(({ name }) => name),
  };
}

function lines(requirements: readonly string[]): string {
  return requirements.map((line) => `${line}\n`).join("");
}
