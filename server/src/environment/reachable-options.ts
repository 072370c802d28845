import { errnoCode } from "../platform/errors.ts";
import { askHead } from "./ask-head.ts";

/** Long enough for a slow index, short enough to notice that there is none. */
const PROBE_TIMEOUT_MS = 5_000;
/** Nobody there. Any answer, also a refusal or a certificate that is not trusted, is for uv to judge. */
const NOBODY_THERE = new Set(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"]);
/** Options of uv that add a place to look in; `--default-index` is the place itself and stays. */
const ADDITIONAL = new Set(["--index", "--find-links"]);

/**
 * Leaves out the additional addresses of a requirements file at which nobody answers, as pip does; uv would fail. The old client writes
 * two such addresses into every conda file that it generates, and machines without the whole internet cannot reach them.
 */
export async function reachableOptions(
  options: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<{ readonly options: readonly string[]; readonly unreachable: readonly string[] }> {
  const addresses = [...new Set(options.filter((_, index) => ADDITIONAL.has(options[index - 1] ?? "")))];
  const answers = await Promise.all(addresses.map((address) => answersAt(new URL(address), env, signal)));
  const unreachable = addresses.filter((_, index) => answers[index] === false);
  const kept = options.filter((option, index) => {
    const isFlagOfLost = ADDITIONAL.has(option) && unreachable.includes(options[index + 1] ?? "");
    const isLost = ADDITIONAL.has(options[index - 1] ?? "") && unreachable.includes(option);
    return !isFlagOfLost && !isLost;
  });
  return { options: kept, unreachable };
}

async function answersAt(
  url: URL,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<boolean> {
  const { status, error } = await askHead(url, { env, signal, timeoutMs: PROBE_TIMEOUT_MS });
  return status !== undefined || (error !== undefined && !NOBODY_THERE.has(errnoCode(error) ?? ""));
}
