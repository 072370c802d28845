import { readFile } from "node:fs/promises";
import { fingerprint } from "../access/index.ts";
import { buildHttpApp, type HttpDependencies } from "../http-app.ts";
import {
  buildLogUrl,
  describeImageBuild,
  describeImageImport,
  describeImagePush,
  IMAGE_BUILD,
  IMAGE_IMPORT,
  IMAGE_PUSH,
} from "../image/index.ts";
import { listen } from "../listening.ts";
import type { OperationRunner } from "../operation/index.ts";
import { ifFound } from "../platform/errors.ts";
import type { HttpApp } from "../platform/http/app.ts";
import { describeCollection, GARBAGE_COLLECTION, type Repository } from "../registry/index.ts";
import { describeServiceOperations } from "../service/index.ts";
import type { Access } from "./access.ts";
import type { Data } from "./data.ts";
import type { Entrance } from "./entrance.ts";
import type { ImageParts } from "./images.ts";
import type { Installation } from "./installation.ts";
import type { RegistryParts } from "./registry.ts";

export interface Rooms {
  readonly data: Data;
  readonly access: Access;
  readonly entrance: Entrance;
  readonly registry: RegistryParts;
  readonly images: ImageParts;
  readonly services: HttpDependencies["services"];
  readonly runner: OperationRunner;
}

/**
 * All rooms on one port.
 *
 * @throws {AppError} PortInUse, PortNotAllowed
 */
export async function openHttpListener(installation: Installation, rooms: Rooms): Promise<HttpApp> {
  const { publicUrl, log, clock, config } = installation;
  const { data, access, entrance, registry, services, runner } = rooms;
  const { artifacts, uploads, models, images, inspector, pusher, importer } = rooms.images;
  const ca = await readFile(entrance.certificates.files.caFile, "utf8");
  const app = await buildHttpApp({
    ...access,
    certificate: await entrance.certificates.read(),
    publicUrl,
    log,
    clock,
    facts: {
      version: installation.version,
      startedAt: installation.startedAt,
      pid: installation.pid,
      supervisor: installation.parentPid,
      ca,
      fingerprint: fingerprint(ca),
      isolation: entrance.isolation.description,
    },
    workspaces: data.workspaces,
    registryAccounts: registry.accounts,
    artifacts,
    uploads,
    models,
    images,
    inspector,
    imagePusher: pusher,
    imageImporter: importer,
    registry: {
      registry: registry.registry,
      uploads: registry.uploads,
      log,
      verify: registry.accounts.verify,
      async ownerOf({ workspaceId, name }: Repository, tag: string) {
        const image = await ifFound(images.get(workspaceId, `${name}:${tag}`));
        return image && `image ${image.id}`;
      },
    },
    collectionRunner: runner,
    operations: {
      store: data.operations,
      runner,
      descriptions: {
        [IMAGE_BUILD]: describeImageBuild(publicUrl),
        [IMAGE_IMPORT]: describeImageImport(publicUrl),
        [IMAGE_PUSH]: describeImagePush,
        [GARBAGE_COLLECTION]: describeCollection,
        ...describeServiceOperations(async ({ id }, imageId) =>
          buildLogUrl(publicUrl, (await images.get(id, imageId)).linkSecret),
        ),
      },
    },
    services,
  });
  await listen(app, config.port, entrance.host);
  return app;
}
