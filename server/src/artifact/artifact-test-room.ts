import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp } from "../platform/http/app.ts";
import { handleErrors, resourceManagerEnvelope } from "../platform/http/error-handler.ts";
import { createLog } from "../platform/log.ts";
import { artifactRoutes } from "./artifact-routes.ts";
import { createArtifactService } from "./artifact-service.ts";
import { type ArtifactTables, artifactMigration } from "./artifact-tables.ts";
import { blobRoutes } from "./blob-routes.ts";
import { createUploadAddresses } from "./upload-addresses.ts";
import { openUploads } from "./upload-service.ts";

const PUBLIC_URL = "https://slipway.test:8443";

/** The room on a folder and a database in memory, for tests. The header `workspace` says whose call it is. */
export async function openArtifactRoom(parent = tmpdir()) {
  const directory = await mkdtemp(join(parent, "slipway-artifact-"));
  const database = openSqlite<ArtifactTables>(":memory:");
  await migrateToLatest(database, { "0001-artifact": artifactMigration });
  const clock = manualClock(new Date());
  const blobs = await openFileBlobStore(join(directory, "blobs"));
  const addresses = createUploadAddresses({ publicUrl: () => PUBLIC_URL, signingKey: Buffer.alloc(32, 7), clock });
  const uploadsDirectory = join(directory, "uploads");
  let uploads = await openUploads({ database, clock, blobs, directory: uploadsDirectory });
  const artifacts = createArtifactService({
    database,
    clock,
    blobs,
    uploads: { hasInterrupted: () => uploads.hasInterrupted() },
  });
  const logged: string[] = [];
  const log = createLog((line) => logged.push(line));

  /** Calling it again is what a restart of the server is. */
  async function start() {
    uploads = await openUploads({ database, clock, blobs, directory: uploadsDirectory });
    const app = createHttpApp();
    handleErrors(app, resourceManagerEnvelope, log);
    app.decorateRequest("workspaceScope", undefined);
    app.addHook("preHandler", async (request) => {
      const name = String(request.headers.workspace ?? "ws1");
      request.workspaceScope = { id: name, subscriptionId: "s", resourceGroup: "g", name, createdAt: "" };
    });
    artifactRoutes(app, { artifacts, addresses });
    await blobRoutes(app, { uploads, addresses, log });
    return app;
  }

  const app = await start();
  return {
    app,
    start,
    addresses,
    artifacts,
    blobs,
    clock,
    database,
    directory,
    uploadsDirectory,
    logged,
    async close() {
      await app.close();
      await database.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type ArtifactTestRoom = Awaited<ReturnType<typeof openArtifactRoom>>;

/** Reserves and uploads files. @returns their common prefix `LocalUpload/CONTAINER` */
export async function uploadFiles(
  room: ArtifactTestRoom,
  container: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  for (const [path, payload] of Object.entries(files)) {
    const reserved = await reserve(room, container, [{ path }]);
    const answer = await room.app.inject({ method: "PUT", url: reserved.upload(path), payload });
    if (answer.statusCode !== 201) throw new Error(`${path} was not stored: ${answer.body}`);
  }
  return `LocalUpload/${container}`;
}

/** @returns the answer, and upload addresses as paths for `inject` */
export async function reserve(
  room: ArtifactTestRoom,
  container: string,
  paths: readonly {
    readonly path: string;
    readonly sha256?: string;
    readonly sizeBytes?: number;
    readonly headSha256?: string;
  }[],
  workspace = "ws1",
) {
  const answer = await room.app.inject({
    method: "POST",
    url: `/artifacts/batch/metadata/LocalUpload/${container}`,
    headers: { workspace, "content-type": "application/json-patch+json" },
    payload: JSON.stringify({ paths }),
  });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  const body = answer.json();
  return {
    body,
    information: (path: string) => body.artifactContentInformation[path],
    upload: (path: string) => String(body.artifactContentInformation[path].uploadUri).replace(PUBLIC_URL, ""),
  };
}
