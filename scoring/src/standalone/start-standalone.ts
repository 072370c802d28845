import { type Cause, imagePaths } from "@slipway/api";
import { type Scorer, startScorer } from "../scorer.ts";
import { admitByKey } from "./admit.ts";
import { readServiceKeys } from "./service-keys.ts";
import { withMetrics } from "./standalone-metrics.ts";
import { readImageDescription, standaloneSettings } from "./standalone-settings.ts";
import { streamLog } from "./stream-log.ts";

/** How often a starting service is looked at. */
const LOOK_MS = 100;

/**
 * Serves the image that this program is part of, with nothing else around it: `docker run -p 5001:5001 IMAGE`.
 *
 * @throws {ScorerError} ImageDescriptionInvalid, SettingInvalid, KeysUnreadable, AddressInUse
 */
export async function startStandalone(
  env: Readonly<Record<string, string | undefined>>,
  onFatal: (cause: Cause) => void,
): Promise<Scorer> {
  const log = streamLog(process.stdout, process.stderr);
  const description = readImageDescription(imagePaths.description);
  const settings = standaloneSettings(description, env);
  const keys = readServiceKeys(env, log);
  const { service } = settings;
  if (!keys.needed)
    log.write("scorer", "No keys are set (SLIPWAY_KEYS, SLIPWAY_KEYS_FILE): whoever reaches the port may ask.");
  const scorer = await startScorer(settings, {
    log,
    onFatal,
    admit: admitByKey(service, keys),
    wrap: (handle, state) => withMetrics(service, handle, state),
  });
  const { workers, httpPort } = settings;
  log.write("scorer", `Listening on port ${httpPort} with ${workers === 1 ? "1 worker" : `${workers} workers`}.`);
  endIfItCannotStart(scorer, onFatal);
  return scorer;
}

/** Whoever started the container starts it again, or looks at its end: a container that stays and cannot serve helps neither. */
function endIfItCannotStart(scorer: Scorer, onFatal: (cause: Cause) => void): void {
  const timer = setInterval(() => {
    const { phase, cause } = scorer.state();
    if (phase === "starting") return;
    clearInterval(timer);
    if (phase === "failed") onFatal(cause ?? { code: "StartFailed", message: "The service could not be started." });
  }, LOOK_MS);
}
