import { join } from "node:path";
import { createAccess } from "./composition/access.ts";
import { openData } from "./composition/data.ts";
import { prepareEntrance } from "./composition/entrance.ts";
import { openHttpListener } from "./composition/http-listener.ts";
import { openImages } from "./composition/images.ts";
import { describeInstallation, type Surroundings } from "./composition/installation.ts";
import { openRegistry } from "./composition/registry.ts";
import { createTargets } from "./composition/targets.ts";
import { computeTargets } from "./compute/index.ts";
import type { Config } from "./config.ts";
import { gatewayUrl } from "./listening.ts";
import { createOperationRunner, type OperationDefinition } from "./operation/index.ts";
import { createServiceRoom, createServiceStore, serviceUsersOfImage } from "./service/index.ts";

export interface Server {
  readonly url: string;
  /** sentences for the person who started it */
  readonly notices: readonly string[];
  /** Lets go of operations and closes; services keep running unless told otherwise. */
  stop(options: { readonly stopServices: boolean }): Promise<void>;
}

/**
 * The composition root: the whole house from the ground up, by hand. Each part in `composition/` gets those below it and nothing else.
 *
 * @throws {AppError} in words for the person who started it: folder in use, newer data, port in use, damaged key
 */
export async function startServer(config: Config, surroundings: Surroundings): Promise<Server> {
  const installation = describeInstallation(config, surroundings);
  const { layout, publicUrl, clock, log } = installation;

  const data = await openData(installation);
  const access = await createAccess(installation, data);
  const entrance = await prepareEntrance(installation, data);
  surroundings.prepared();

  const { isolation } = entrance;
  const { database, secretBox, workspaces, operations } = data;
  const definitions: OperationDefinition[] = [];
  const runner = createOperationRunner(operations, definitions, log);
  const serviceStore = createServiceStore(database, clock);
  const usersOf = serviceUsersOfImage(serviceStore);

  const registry = await openRegistry(installation, data, runner);
  const images = await openImages(installation, data, { registry, isolation, runner, usersOf });
  const targets = await createTargets(installation, { isolation, registry: registry.registry });
  const room = createServiceRoom({
    store: serviceStore,
    images: images.images,
    models: images.models,
    targets,
    computeTargets: computeTargets(config.containerInstances),
    workspaces,
    operations,
    secrets: secretBox,
    issueToken: access.tokens.issueForService,
    tokenKey: access.tokens.publicKey,
    gateway: {
      controlSocket: join(layout.gateway, "control.sock"),
      routesFile: join(layout.gateway, "routes.json"),
      publicUrl: gatewayUrl(publicUrl, config.gatewayPort),
      allowOpen: config.allowOpen,
    },
    log,
  });
  definitions.push(...registry.definitions, ...images.definitions, ...room.definitions);
  const { reconciler, autoscaler, ...services } = room.connect(runner);
  const app = await openHttpListener(installation, { data, access, entrance, registry, images, services, runner });

  await entrance.announce(access.identitySecret);
  const stopRenewal = entrance.keepCertificateFresh(app);
  await runner.start();
  reconciler.start();
  registry.collections.start();
  autoscaler.start();

  return {
    url: publicUrl,
    notices: [isolation.description],
    async stop({ stopServices }) {
      stopRenewal();
      registry.collections.stop();
      await app.close();
      await runner.stop();
      await autoscaler.stop();
      await reconciler.stop();
      if (stopServices) await reconciler.stopReplicas();
      registry.remote.close();
      await data.close();
    },
  };
}
