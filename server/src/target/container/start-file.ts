import { fileURLToPath } from "node:url";
import { StartFile } from "@slipway/api";
import { readFileIfThere, writeFileAtomically } from "../../platform/atomic-file.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { AppError } from "../../platform/errors.ts";
import { parseFile } from "../../platform/parse-file.ts";
import { currentBootId } from "../../platform/process-identity.ts";
import { SAFE_ENV } from "../../platform/sandbox.ts";
import type { Standby } from "../target.ts";
import { readRecord } from "./container-record.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

export interface StartFileOptions {
  readonly nodePath: string;
  /** for Node itself, for instance `--conditions=slipway-source` */
  readonly execArgv: readonly string[];
}

/** Starts a container that was created before: all that the gateway runs to wake a service. */
const wakeProgram = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "wake-container.ts" : "wake-container.js", import.meta.url),
);

export async function writeStartFile(
  engine: EngineClient,
  { run, outputFile }: ReplicaFolder,
  containerId: string,
  { nodePath, execArgv }: StartFileOptions,
): Promise<void> {
  const start: StartFile = {
    command: [nodePath, ...execArgv, wakeProgram, run.folder],
    env: {
      ...SAFE_ENV,
      SLIPWAY_ENGINE_SOCKET: engine.socketPath,
      SLIPWAY_ENGINE_PATH: await engine.startPath(containerId),
    },
    outputFile,
    bootId: await currentBootId(),
  };
  await writeFileAtomically(run.startFile, `${JSON.stringify(start, undefined, 2)}\n`);
}

/** How the replica is started; undefined when something of it is missing, or is of another boot or another version of this program. */
export async function standbyOf(
  findEngine: () => Promise<EngineClient>,
  folder: ReplicaFolder,
  { nodePath }: StartFileOptions,
): Promise<Standby | undefined> {
  const { run } = folder;
  const record = await readRecord(folder);
  const start = parseFile(StartFile, await readFileIfThere(run.startFile));
  if (record === undefined || start === undefined || start.bootId !== (await currentBootId())) return undefined;
  if (!start.command.includes(nodePath) || !start.command.includes(wakeProgram)) return undefined;
  if (!start.env.SLIPWAY_ENGINE_PATH?.includes(record.containerId)) return undefined;
  if (!(await mayBeThere(findEngine, record.containerId))) return undefined;
  const { framesSocket, httpSocket, nonce } = record;
  return { id: run.replicaId, framesSocket, httpSocket, nonce, startFile: run.startFile };
}

/** An engine that is away will have its containers when it is back. */
async function mayBeThere(findEngine: () => Promise<EngineClient>, containerId: string): Promise<boolean> {
  try {
    return (await (await findEngine()).container(containerId)) !== undefined;
  } catch (error) {
    if (error instanceof AppError) return true;
    throw error;
  }
}
