import type { ImageConfig } from "../../registry/index.ts";
import type { DockerSteps } from "./docker-steps.ts";
import { dockerStepInvalid } from "./docker-steps-errors.ts";
import { expand } from "./docker-steps-words.ts";

/** What COPY does, with its paths in the image's file system. */
export interface CopyStep {
  readonly do: "copy";
  readonly line: number;
  readonly sources: readonly string[];
  /** absolute and clean; ends with "/" if it is meant as a folder */
  readonly destination: string;
}

/** What RUN does, and what is in force there. */
export interface RunStep {
  readonly do: "run";
  readonly line: number;
  /** as it was written */
  readonly text: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** of a USER step; empty if there was none */
  readonly user: string;
  readonly workingDirectory: string;
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/;
const PORT = /^([0-9]{1,5})(?:-([0-9]{1,5}))?(?:\/(tcp|udp|sctp))?$/;

/**
 * Does the steps upon what the base says. `workingDirectory` is theirs at the end; what changes files is told in its order.
 *
 * @throws {AppError} DockerStepInvalid with the line
 */
export function applyDockerSteps(
  base: ImageConfig,
  { steps }: DockerSteps,
): { readonly config: ImageConfig; readonly changes: readonly (CopyStep | RunStep)[] } {
  const env: Record<string, string> = { ...base.env };
  const labels: Record<string, string> = { ...base.labels };
  const ports = new Set(base.exposedPorts);
  const changes: (CopyStep | RunStep)[] = [];
  let workingDirectory = base.workingDirectory || "/";
  let user = base.user;
  let stepUser = "";
  for (const step of steps) {
    const invalid = (reason: string) => dockerStepInvalid(step.line, reason);
    switch (step.do) {
      case "env": {
        // All of one line see the values before the line.
        const before = { ...env };
        for (const [key, value] of step.pairs) {
          const name = expand(key, before);
          if (!VARIABLE_NAME.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 80))} is no name of a variable`);
          env[name] = expand(value, before);
        }
        break;
      }
      case "label":
        for (const [key, value] of step.pairs) labels[expand(key, env)] = expand(value, env);
        break;
      case "workdir":
        workingDirectory = cleanPath(expand(step.value, env), workingDirectory, invalid);
        break;
      case "user": {
        user = expand(step.value, env);
        if (!USER.test(user)) throw invalid(`${JSON.stringify(user.slice(0, 80))} is no user or USER:GROUP`);
        stepUser = user;
        break;
      }
      case "expose":
        for (const port of step.ports) for (const one of portsOf(expand(port, env), invalid)) ports.add(one);
        break;
      case "copy": {
        const destination = expand(step.destination, env);
        const clean = cleanPath(destination, workingDirectory, invalid);
        const isFolder = destination.endsWith("/") || /(^|\/)\.{1,2}$/.test(destination);
        changes.push({
          do: "copy",
          line: step.line,
          sources: step.sources.map((source) => expand(source, env)),
          destination: isFolder && clean !== "/" ? `${clean}/` : clean,
        });
        break;
      }
      case "run": {
        const { line, text, command } = step;
        changes.push({ do: "run", line, text, command, env: { ...env }, user: stepUser, workingDirectory });
        break;
      }
      default:
        step satisfies never;
    }
  }
  return { config: { ...base, env, labels, exposedPorts: [...ports].sort(), user, workingDirectory }, changes };
}

/** What ENV sets, for a process of this machine: without the base's own variables, and the machine's PATH stays. */
export function stepVariables(steps: DockerSteps | null): Readonly<Record<string, string>> {
  if (steps === null) return {};
  const { PATH: _path, ...variables } = applyDockerSteps(NO_BASE, steps).config.env;
  return variables;
}

export const NO_BASE: ImageConfig = {
  ...{ env: {}, user: "", workingDirectory: "", entrypoint: [], command: [], labels: {}, exposedPorts: [] },
};

/** An absolute path without ".", ".." and doubled separators; as in Docker ".." never leads above the root. */
function cleanPath(path: string, from: string, invalid: (reason: string) => Error): string {
  if (path === "" || path.length > 1024 || /[\u0000-\u001f\u007f\\]/.test(path) || !path.isWellFormed()) {
    throw invalid(`${JSON.stringify(path.slice(0, 80))} is no path`);
  }
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${from}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function portsOf(text: string, invalid: (reason: string) => Error): string[] {
  const [, first, last = first, protocol = "tcp"] = PORT.exec(text) ?? [];
  const [low, high] = [Number(first), Number(last)];
  if (!(low >= 1 && high <= 65_535 && low <= high && high - low < 1_000)) {
    throw invalid(`${JSON.stringify(text.slice(0, 80))} is no port`);
  }
  return Array.from({ length: high - low + 1 }, (_, index) => `${low + index}/${protocol}`);
}
