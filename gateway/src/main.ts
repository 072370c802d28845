import { readFile } from "node:fs/promises";
import { GatewayConfig, shapeProblems } from "@slipway/api";
import { startGateway } from "./gateway.ts";
import { GatewayStartError, type StartProblem } from "./gateway-start-error.ts";
import { createLog } from "./log.ts";

const EXIT_CODES: Readonly<Record<StartProblem, number>> = { badConfig: 2, addressInUse: 3, alreadyRunning: 4 };

/** @throws {GatewayStartError} */
async function readConfig(file: string | undefined): Promise<GatewayConfig> {
  if (file === undefined) throw new GatewayStartError("badConfig", "Usage: gateway CONFIGFILE [LISTENER]");
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new GatewayStartError("badConfig", `The config file ${file} cannot be read: ${String(error)}`, error);
  }
  const problems = shapeProblems(GatewayConfig, value);
  if (problems.length > 0) throw new GatewayStartError("badConfig", `The config file ${file}: ${problems.join("; ")}.`);
  return value as GatewayConfig;
}

// Whoever read the log may be gone; traffic goes on without one.
process.stderr.on("error", () => {});
const log = createLog((line) => process.stderr.write(line));

try {
  const [, , configFile, listener] = process.argv;
  const listenerFd = listener === undefined ? undefined : Number(listener);
  const gateway = await startGateway(await readConfig(configFile), log, { listenerFd });
  gateway.reportReady();
  const stop = () => {
    gateway.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error("the gateway did not stop cleanly", { cause: String(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  log.error(message);
  const exitCode = error instanceof GatewayStartError ? EXIT_CODES[error.problem] : 1;
  // Trying again would not help against a start problem: whoever started it should know at once.
  if (process.send !== undefined && error instanceof GatewayStartError) {
    process.send({ type: "fatal", message }, () => process.exit(exitCode));
  } else process.exit(exitCode);
}
