import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { fetchTrusting } from "../connect.ts";
import { dataFolder, findConnection } from "../connection.ts";

const PATIENCE_MS = 60_000;

/** `slipway restart`: a new control plane under running services. */
export function restartCommand(): Command {
  return new Command("restart")
    .description("replace the control plane; gateway and services keep running")
    .option("--data <folder>", "data folder of the server (default: ~/.slipway, or SLIPWAY_DATA)")
    .addHelpText("after", "\nExample:\n  slipway restart --data /srv/slipway")
    .action(async (options: { data?: string }) => {
      // The folder, not a saved login: the process id that the server names is one of this machine.
      const { url, ca } = await findConnection({ data: dataFolder(options, process.env) }, process.env);
      const fetch = fetchTrusting(ca);
      const health = async () => {
        const response = await fetch(`${url}/slipway/v1/health`, { method: "GET", headers: {} });
        return (await response.json()) as { startedAt: string; supervisor: number };
      };
      const before = await health().catch((error: unknown) => {
        throw new CliError(
          "ServerUnreachable",
          "unreachable",
          `No answer from ${url}. Is \`slipway up\` running?`,
          error,
        );
      });
      const startedAt = performance.now();
      process.kill(before.supervisor, "SIGHUP");
      while (performance.now() - startedAt < PATIENCE_MS) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const now = await health().catch(() => undefined);
        if (now !== undefined && now.startedAt !== before.startedAt) {
          process.stdout.write(
            `The control plane was replaced in ${((performance.now() - startedAt) / 1000).toFixed(1)} s; services kept running.\n`,
          );
          return;
        }
      }
      throw new CliError(
        "RestartTimeout",
        "failed",
        `The control plane did not come back within ${PATIENCE_MS / 1000} s. Its log is in the data folder, logs/control-plane.log.`,
      );
    });
}
