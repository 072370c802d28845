import { AppError } from "../platform/errors.ts";
import { parseLock } from "./lock.ts";

type Resolve = (requirements: readonly string[]) => Promise<string>;

/** A requirement of an azureml package without a version. */
const UNBOUND = /^(azureml[\w.-]*)\s*(\[[^\]]*\])?\s*(;.*)?$/i;

/**
 * Resolves so that azureml packages without a version come in their newest release. The resolver may go back instead: to keep the newest numpy it takes an
 * azureml-defaults of 2019, whose own dependencies no longer build. pip, which the old images used, takes the newest. If the newest does not fit, whatever fits is taken.
 */
export async function preferNewestReleases(requirements: readonly string[], resolve: Resolve): Promise<string> {
  const unbound = requirements.filter((requirement) => UNBOUND.test(requirement));
  if (unbound.length === 0 || unbound.length === requirements.length) return resolve(requirements);
  const names = unbound.map((requirement) => normalized(UNBOUND.exec(requirement)?.[1] ?? ""));
  try {
    const newest = parseLock(await resolve(unbound)).filter(({ name }) => names.includes(normalized(name)));
    return await resolve([...requirements, ...newest.map(({ name, version }) => `${name}>=${version}`)]);
  } catch (error) {
    if (error instanceof AppError && error.code === "EnvironmentUnsolvable") return resolve(requirements);
    throw error;
  }
}

/** Names of packages that differ only in case and separators are one (PEP 503). */
const normalized = (name: string) => name.toLowerCase().replaceAll(/[-_.]+/g, "-");
