import { constants } from "node:fs";
import { access, mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ControlPlaneMessage, controlPlaneMain, dataLayout, type StopMessage, tryLock } from "@slipway/server";
import { startProcess } from "./start-process.ts";
import { superviseChild } from "./supervised-child.ts";
import { superviseGateway } from "./supervised-gateway.ts";

const MAX_LOG_BYTES = 20 * 1024 * 1024;
const CONTROL_PLANE_PATIENCE_MS = 60_000;
/**
 * Network buffers die young but count as memory outside of the heap: with the usual young generation of 16 MiB they pile up until they force full collections,
 * which took half of the control plane's processor time in a large upload and 90 MiB of memory (measured).
 */
const CONTROL_PLANE_NODE_OPTIONS = "--max-semi-space-size=4";
const LONGEST_DATA_FOLDER = 80;
/** So often in a row a control plane may end before it was ever ready: a crash may be a passing fault, this is not one. */
const MAX_FAILED_STARTS = 5;

export class StartError extends Error {}

export interface SupervisorOptions {
  readonly dataFolder: string;
  /** handed to the control plane as they are */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly gatewayPort: number;
  onReady(url: string, notices: readonly string[]): void;
  /** something a person should know: a process died and is started again */
  onNotice(text: string): void;
  /** the installation cannot run; everything is stopped already */
  onFatal(message: string): void;
}

export interface Supervisor {
  restartControlPlane(): Promise<void>;
  stop(options: { readonly keepServices: boolean }): Promise<void>;
}

/**
 * Starts control plane and gateway and keeps them running. It has no state but the lock on the data folder: killed, its successor
 * adopts the gateway and the services that still run.
 *
 * @throws {StartError} folder not writable, or in use by another supervisor
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const layout = dataLayout(options.dataFolder);
  await prepareFolder(options.dataFolder, layout);
  const lock = tryLock(join(layout.state, "up.lock"));
  if (lock === undefined) {
    throw new StartError(
      `The data folder ${options.dataFolder} is in use by another slipway up. Stop that one, or name another folder with --data.`,
    );
  }
  await Promise.all(["control-plane", "gateway"].map((name) => rotate(join(layout.logs, `${name}.log`))));

  let stopping: Promise<void> | undefined;
  let failed = false;
  let failedStarts = 0;

  const gateway = superviseGateway({
    folder: layout.gateway,
    configFile: layout.gatewayConfig,
    logs: layout.logs,
    port: options.gatewayPort,
    onNotice: options.onNotice,
    onFatal: fatal,
  });

  function fatal(message: string): void {
    if (failed) return;
    failed = true;
    stopping = stopAll(true).then(() => options.onFatal(message));
  }

  const controlPlane = superviseChild({
    start: () =>
      startProcess("control-plane", [controlPlaneMain, JSON.stringify(options.settings)], layout.logs, {
        nodeOptions: CONTROL_PLANE_NODE_OPTIONS,
      }),
    onMessage(raw) {
      const message = raw as ControlPlaneMessage;
      if (message.type === "prepared") void gateway.start();
      else if (message.type === "ready") {
        failedStarts = 0;
        // Ready means that scoring answers, too; a gateway that never does is told of by its own exits.
        void gateway.answers().then(() => options.onReady(message.url, message.notices));
      } else fatal(message.message);
      return message.type === "ready";
    },
    onExit(code, signal) {
      if (failed) return false;
      const log = join(layout.logs, "control-plane.log");
      failedStarts += 1;
      if (failedStarts > MAX_FAILED_STARTS) {
        fatal(`The control plane ended ${failedStarts} times before it was ready. Its log says why: ${log}`);
        return false;
      }
      if (signal !== "SIGTERM" && code !== 0) {
        options.onNotice(
          `The control plane ended (${signal ?? `exit code ${code}`}) and is started again; services keep running. Its log: ${log}`,
        );
      }
      return true;
    },
  });

  async function stopAll(keepServices: boolean): Promise<void> {
    if (!keepServices) await gateway.stop({ adopted: true });
    const message: StopMessage = { type: "stop", stopServices: !keepServices };
    await controlPlane.stop(message, CONTROL_PLANE_PATIENCE_MS);
    if (failed) await gateway.stop({ adopted: false });
    lock?.release();
  }

  return {
    restartControlPlane: () => controlPlane.restart(CONTROL_PLANE_PATIENCE_MS),
    stop({ keepServices }) {
      stopping ??= stopAll(keepServices);
      return stopping;
    },
  };
}

async function prepareFolder(dataFolder: string, layout: ReturnType<typeof dataLayout>): Promise<void> {
  if (Buffer.byteLength(dataFolder) > LONGEST_DATA_FOLDER) {
    throw new StartError(
      `The path of the data folder ${dataFolder} is longer than ${LONGEST_DATA_FOLDER} bytes, too long for the sockets in it. Choose a shorter one with --data.`,
    );
  }
  try {
    // Others may pass through to what is theirs (a service's run folder), but read nothing on the way.
    await mkdir(dataFolder, { recursive: true, mode: 0o711 });
    await mkdir(layout.state, { recursive: true, mode: 0o700 });
    await mkdir(layout.logs, { recursive: true, mode: 0o700 });
    await mkdir(layout.gateway, { recursive: true, mode: 0o700 });
    await access(dataFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(
      code === "EEXIST" || code === "ENOTDIR"
        ? `The data folder ${dataFolder} cannot be made: a file is in its place. Name another with --data.`
        : `The data folder ${dataFolder} cannot be written (${code}). Name another with --data, or change its owner.`,
    );
  }
}

async function rotate(file: string): Promise<void> {
  const size = await stat(file).then(
    (info) => info.size,
    () => 0,
  );
  if (size > MAX_LOG_BYTES) await rename(file, `${file}.1`);
}
