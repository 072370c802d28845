import { mkdir } from "node:fs/promises";
import { parseConfig } from "./config.ts";
import { toAppError } from "./platform/errors.ts";
import { createLog } from "./platform/log.ts";
import type { ControlPlaneMessage, StopMessage } from "./process-messages.ts";
import { startServer } from "./server.ts";

/** Started by the supervisor with the settings as JSON in the first argument. The only file here that touches `process`. */
const log = createLog((line) => process.stderr.write(`${line}\n`));
const tell = (message: ControlPlaneMessage) => {
  if (process.connected) process.send?.(message);
};

process.on("unhandledRejection", (error) => {
  log.error("unhandled rejection", { error: error instanceof Error ? error : String(error) });
});

try {
  const config = parseConfig(JSON.parse(process.argv[2] ?? "{}"));
  await mkdir(config.dataFolder, { recursive: true });
  const server = await startServer(config, {
    log,
    env: process.env,
    pid: process.pid,
    parentPid: process.ppid,
    execPath: process.execPath,
    execArgv: process.execArgv,
    prepared: () => tell({ type: "prepared" }),
  });
  tell({ type: "ready", url: server.url, notices: server.notices });

  let _stopping: Promise<void> | undefined;
  const stop = (stopServices: boolean) => {
    _stopping ??= server.stop({ stopServices }).then(
      () => process.exit(0),
      (error) => {
        log.error("stop failed", { error });
        process.exit(1);
      },
    );
  };
  process.on("message", (message: StopMessage) => stop(message.stopServices));
  process.on("SIGTERM", () => stop(false));
  // The supervisor is gone: services keep running, and the next one adopts them.
  process.on("disconnect", () => stop(false));
} catch (thrown) {
  const error = toAppError(thrown);
  log.error("the control plane cannot start", { code: error.code, error });
  tell({ type: "fatal", message: error.message });
  process.exitCode = 1;
  process.disconnect?.();
}
