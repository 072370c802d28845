import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { silentLog } from "../platform/log.ts";
import { openBlobUploads } from "./blob-uploads.ts";
import { mediaTypes } from "./registry.ts";
import { registryRoutes } from "./registry-routes.ts";
import { createRegistry } from "./registry-service.ts";
import { type RegistryTables, registryMigration, registryPushMigration } from "./registry-tables.ts";

export const WORKSPACE = "workspace-id";
export const OTHER_WORKSPACE = "other-workspace";

export const basic = (password: string) => ({ authorization: `Basic ${btoa(`user:${password}`)}` });
export const digestOf = (bytes: Uint8Array | string, algorithm = "sha256") =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

export type RegistryTestRoom = Awaited<ReturnType<typeof openRegistryTestRoom>>;

/**
 * The registry with its routes, on a database in memory and a temporary folder. The password `right` opens the workspace whose namespace
 * is `team-a`, `other` another workspace with the same namespace.
 */
export async function openRegistryTestRoom(options: { readonly quotaBytes?: number; readonly folder?: string } = {}) {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "slipway-registry-")));
  const blobs = await openFileBlobStore(join(folder, "blobs"));
  const database = openSqlite<RegistryTables>(":memory:");
  await migrateToLatest(database, { "1": registryMigration, "2": registryPushMigration });
  const clock = manualClock(new Date());
  const registry = createRegistry({ database, clock, blobs });
  const directory = join(folder, "uploads");
  const uploads = await openBlobUploads({ database, clock, blobs, directory, quotaBytes: options.quotaBytes });
  const app = createHttpApp() as HttpApp;
  registryRoutes(app, {
    registry,
    uploads,
    log: silentLog,
    async verify(namespace, username, password) {
      const known = namespace === undefined || namespace === "team-a";
      if (!known || username !== "user") return undefined;
      if (password === "right") return { workspaceId: WORKSPACE, namespace: "team-a" };
      return password === "other" ? { workspaceId: OTHER_WORKSPACE, namespace: "team-a" } : undefined;
    },
    ownerOf: async ({ name }, tag) => (name === "built" && tag === "1" ? "image built:1" : undefined),
  });

  type Options = { readonly headers?: Record<string, string>; readonly body?: Uint8Array | string };
  /** @param path below `/v2/team-a/` */
  async function call(method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, more: Options = {}) {
    const { headers, body } = more;
    const payload = body === undefined ? {} : { payload: Buffer.from(body) };
    return app.inject({ method, url: `/v2/team-a/${path}`, headers: { ...basic("right"), ...headers }, ...payload });
  }

  return {
    folder,
    directory,
    blobs,
    database,
    clock,
    registry,
    uploads,
    app,
    call,

    async begin(name: string): Promise<string> {
      const begun = await call("POST", `${name}/blobs/uploads/`);
      return String(begun.headers.location).slice("/v2/team-a/".length);
    },

    /** @returns the descriptor's digest and size */
    async pushBlob(name: string, body: Uint8Array | string = randomBytes(100)) {
      const digest = digestOf(body);
      const answer = await call("POST", `${name}/blobs/uploads/?digest=${digest}`, { body });
      if (answer.statusCode !== 201) throw new Error(`${answer.statusCode} ${answer.body}`);
      return { digest, size: Buffer.byteLength(body) };
    },

    /** An image of one layer. @returns the answer of the push and the manifest's digest */
    async pushImage(name: string, reference: string, extra: object = {}, content?: Uint8Array | string) {
      const config = await this.pushBlob(name, "{}");
      const layer = await this.pushBlob(name, content);
      const body = JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, ...config },
        layers: [{ mediaType: mediaTypes.layer, ...layer }],
        ...extra,
      });
      const answer = await this.pushManifest(name, reference === "" ? digestOf(body) : reference, body);
      return { answer, digest: digestOf(body), size: Buffer.byteLength(body), layer, body };
    },

    pushManifest(name: string, reference: string, body: string, mediaType: string = mediaTypes.manifest) {
      return call("PUT", `${name}/manifests/${reference}`, { body, headers: { "content-type": mediaType } });
    },

    async close() {
      await app.close();
      await database.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
