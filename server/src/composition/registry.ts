import { unnamedArtifacts } from "../artifact/index.ts";
import { unnamedAssets } from "../model/index.ts";
import type { OperationRunner } from "../operation/index.ts";
import {
  collectGarbageOperation,
  createCollectionSchedule,
  createGarbageStore,
  createRegistry,
  createRegistryAccounts,
  openBlobUploads,
} from "../registry/index.ts";
import { createRemoteRegistries } from "../registry/remote/index.ts";
import type { Data } from "./data.ts";
import type { Installation } from "./installation.ts";

const GIB = 1024 ** 3;

export type RegistryParts = Awaited<ReturnType<typeof openRegistry>>;

/** The built-in registry, the way to others, and the collection of what nobody names any more. */
export async function openRegistry(installation: Installation, data: Data, runner: OperationRunner) {
  const { config, layout, clock, log, env } = installation;
  const { database, blobs, secrets, workspaces, operations } = data;
  const { registryQuota } = config;
  const uploads = await openBlobUploads({
    database,
    clock,
    blobs,
    directory: layout.registryUploads,
    quotaBytes: registryQuota === undefined ? undefined : Math.round(registryQuota * GIB),
  });
  const collection = collectGarbageOperation({
    store: createGarbageStore(database, {
      // Logs, and what is found anew when it is missing.
      cacheTables: ["operation", "operation_log", "image_layer", "image_base_layer"],
      openOperationTexts: operations.openTexts,
      namedRows: [unnamedAssets, unnamedArtifacts],
    }),
    blobs,
    uploads,
    clock,
  });
  return {
    registry: createRegistry({ database, clock, blobs }),
    accounts: createRegistryAccounts({ database, secrets, workspaces }),
    uploads,
    remote: createRemoteRegistries({ clock, env, insecure: config.insecureRegistry }),
    definitions: [collection],
    collections: createCollectionSchedule({ operations, runner, workspace: data.defaultWorkspace, clock, log }),
  };
}
