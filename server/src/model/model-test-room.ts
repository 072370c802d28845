import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ArtifactTables, artifactMigration, createArtifactService, openUploads } from "../artifact/index.ts";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp } from "../platform/http/app.ts";
import { handleErrors, modelManagementEnvelope } from "../platform/http/error-handler.ts";
import { newHexId } from "../platform/ids.ts";
import { createLog } from "../platform/log.ts";
import { modelRoutes } from "./model-routes.ts";
import { createModelService } from "./model-service.ts";
import { type ModelTables, modelMigration } from "./model-tables.ts";

/** The room above real artifacts, for tests. The header `workspace` says whose call it is. */
export async function openModelRoom() {
  const directory = await mkdtemp(join(tmpdir(), "slipway-model-"));
  const database = openSqlite<ArtifactTables & ModelTables>(":memory:");
  await migrateToLatest(database, { "0001-artifact": artifactMigration, "0002-model": modelMigration });
  const clock = manualClock();
  const blobs = await openFileBlobStore(join(directory, "blobs"));
  const uploads = await openUploads({ database, clock, blobs, directory: join(directory, "uploads") });
  const artifacts = createArtifactService({ database, clock, blobs, uploads });
  /** model id → who uses it */
  const users = new Map<string, readonly string[]>();
  const models = createModelService({
    database,
    clock,
    artifacts,
    usersOf: async (_workspace, id) => users.get(id) ?? [],
  });
  const app = createHttpApp();
  const logged: string[] = [];
  handleErrors(
    app,
    modelManagementEnvelope,
    createLog((line) => logged.push(line)),
  );
  app.decorateRequest("workspaceScope", undefined);
  app.addHook("preHandler", async (request) => {
    const name = String(request.headers.workspace ?? "ws1");
    request.workspaceScope = { id: name, subscriptionId: "s", resourceGroup: "g", name, createdAt: "" };
  });
  modelRoutes(app, { models, publicUrl: () => "https://slipway.test:8443" });

  /** @returns `LocalUpload/CONTAINER`; a null is reserved and never uploaded */
  async function upload(files: Readonly<Record<string, string | null>>): Promise<string> {
    const container = newHexId();
    const paths = Object.keys(files).map((path) => ({ path }));
    for (const { artifact } of await artifacts.reserve("ws1", "LocalUpload", container, paths)) {
      const text = files[artifact.path];
      if (text === null || text === undefined) continue;
      const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
      const grant = { uploadId: artifact.uploadId, stagingArea: newHexId(), announcedDigest: digest };
      await uploads.put(grant, bytesOf(text), {}, { onlyIfNew: true });
    }
    return `LocalUpload/${container}`;
  }

  async function asset(parts: readonly object[], workspace = "ws1"): Promise<string> {
    const answer = await app.inject({
      method: "POST",
      url: "/assets",
      headers: { workspace },
      payload: { name: "asset", artifacts: parts },
    });
    if (answer.statusCode !== 200) throw new Error(answer.body);
    return answer.json().id;
  }

  const post = (payload: object, headers: Record<string, string> = {}) =>
    app.inject({ method: "POST", url: "/models", payload, headers });

  return {
    app,
    artifacts,
    asset,
    clock,
    database,
    logged,
    models,
    post,
    upload,
    users,
    /** Registers a model of one small file. @returns the answer's model */
    async register(fields: { readonly name: string } & Readonly<Record<string, unknown>>, headers = {}) {
      const prefix = `${await upload({ "m.pkl": "bytes" })}/m.pkl`;
      const url = `aml://asset/${await asset([{ prefix }])}`;
      const answer = await post({ datasets: [], mimeType: "application/json", unpack: false, url, ...fields }, headers);
      if (answer.statusCode !== 200) throw new Error(answer.body);
      return answer.json();
    },
    async close() {
      await app.close();
      await uploads.close();
      await database.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type ModelTestRoom = Awaited<ReturnType<typeof openModelRoom>>;

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
