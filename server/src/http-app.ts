import {
  accessRoutes,
  type InstallationFacts,
  installationRoutes,
  type PrincipalService,
  requireToken,
  signInRoutes,
  type TokenIssuer,
} from "./access/index.ts";
import {
  type ArtifactService,
  artifactRoutes,
  blobRoutes,
  type UploadAddresses,
  type UploadService,
} from "./artifact/index.ts";
import { unsupportedRoutes } from "./compatibility.ts";
import {
  type ImageImporter,
  type ImageInspector,
  type ImagePusher,
  type ImageService,
  imageContentsRoutes,
  imageImportRoutes,
  imageLinkRoutes,
  imagePushRoutes,
  imageRoutes,
  toWireImage,
} from "./image/index.ts";
import { type ModelService, modelRoutes, toEmbeddedWireModel } from "./model/index.ts";
import { type OperationRoutesDependencies, operationRoutes } from "./operation/index.ts";
import type { Clock } from "./platform/clock.ts";
import { ifFound } from "./platform/errors.ts";
import { createHttpApp, type HttpApp, type ServerCertificate } from "./platform/http/app.ts";
import {
  type ErrorEnvelope,
  handleErrors,
  modelManagementEnvelope,
  resourceManagerEnvelope,
} from "./platform/http/error-handler.ts";
import type { Log } from "./platform/log.ts";
import {
  collectionRoutes,
  type RegistryAccounts,
  type RegistryDependencies,
  registryAccountRoutes,
  registryRoutes,
} from "./registry/index.ts";
import { type ServiceRoutesDependencies, serviceRoutes } from "./service/index.ts";
import {
  discoveryRoutes,
  findWorkspaceFromPath,
  resourceManagerRoutes,
  WORKSPACE_PATH,
  type Workspace,
  type WorkspaceService,
  workspaceResourceId,
  workspaceRoutes,
} from "./workspace/index.ts";

export interface HttpDependencies {
  readonly certificate: ServerCertificate;
  readonly publicUrl: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly facts: InstallationFacts;
  readonly identitySecret: string;
  readonly tokens: TokenIssuer;
  readonly principals: PrincipalService;
  readonly workspaces: WorkspaceService;
  readonly registryAccounts: RegistryAccounts;
  readonly artifacts: ArtifactService;
  readonly uploads: UploadService;
  readonly addresses: UploadAddresses;
  readonly models: ModelService;
  readonly images: ImageService;
  readonly inspector: ImageInspector;
  readonly imagePusher: ImagePusher;
  readonly imageImporter: ImageImporter;
  readonly registry: RegistryDependencies;
  readonly collectionRunner: Parameters<typeof collectionRoutes>[1]["runner"];
  readonly operations: OperationRoutesDependencies;
  readonly services: Pick<ServiceRoutesDependencies, "services" | "credentials">;
}

/** Every area of the wire on one listener; each has its own prefix, envelope and need for a token (wire contract, head). */
export async function buildHttpApp(deps: HttpDependencies): Promise<HttpApp> {
  const { publicUrl, workspaces } = deps;
  const app = createHttpApp(deps.certificate);
  handleErrors(app, resourceManagerEnvelope, deps.log);
  const workspaceDeps = {
    workspaces,
    publicUrl,
    tenantId: deps.tokens.tenantId,
    registryCredentials: (workspace: Workspace) => ifEnabled(deps.registryAccounts, workspace),
  };

  // Without a token: what comes before it, and addresses that are credentials themselves.
  signInRoutes(app, deps);
  discoveryRoutes(app, { publicUrl });
  imageLinkRoutes(app, deps);
  await blobRoutes(app, deps);
  registryRoutes(app, deps.registry);
  await app.register(async (scope) => installationRoutes(scope as HttpApp, deps.facts), { prefix: "/slipway/v1" });

  const operationUrl = (workspace: Workspace, id: string) =>
    `${publicUrl}/modelmanagement/v1.0${workspaceResourceId(workspace)}/operations/${id}`;
  const guarded = (prefix: string, envelope: ErrorEnvelope, routes: (scope: HttpApp) => void) =>
    app.register(
      async (scope) => {
        // The root has its own already, and Fastify refuses a second one.
        if (prefix !== "") handleErrors(scope as HttpApp, envelope, deps.log);
        requireToken(scope as HttpApp, deps.tokens, deps.principals);
        routes(scope as HttpApp);
      },
      { prefix },
    );
  const inWorkspace = (area: string, envelope: ErrorEnvelope, routes: (scope: HttpApp) => void) =>
    guarded(`${area}${WORKSPACE_PATH}`, envelope, (scope) => {
      findWorkspaceFromPath(scope, (name) => workspaces.get(name));
      routes(scope);
    });

  await guarded("", resourceManagerEnvelope, (scope) => {
    resourceManagerRoutes(scope, workspaceDeps);
    registryAccountRoutes(scope, { accounts: deps.registryAccounts, workspaces, publicUrl });
  });
  await guarded("/slipway/v1", resourceManagerEnvelope, (scope) => accessRoutes(scope, deps));
  await inWorkspace("/slipway/v1", modelManagementEnvelope, (scope) => {
    imageContentsRoutes(scope, deps);
    imagePushRoutes(scope, deps);
    imageImportRoutes(scope, deps);
    collectionRoutes(scope, { runner: deps.collectionRunner, operationUrl });
  });
  await inWorkspace("", resourceManagerEnvelope, (scope) => {
    workspaceRoutes(scope, workspaceDeps);
    unsupportedRoutes(scope);
  });
  await inWorkspace("/artifact/v2.0", resourceManagerEnvelope, (scope) => artifactRoutes(scope, deps));
  await inWorkspace("/modelmanagement/v1.0", modelManagementEnvelope, (scope) => {
    unsupportedRoutes(scope);
    modelRoutes(scope, { models: deps.models, publicUrl: () => publicUrl });
    imageRoutes(scope, { images: deps.images, models: deps.models, toWireModel: toEmbeddedWireModel, publicUrl });
    operationRoutes(scope, deps.operations);
    serviceRoutes(scope, {
      ...deps.services,
      imageDetails: imageDetails(deps),
      operationUrl,
    });
  });
  for (const area of ["/environment/v1.0", "/environment/v2.0", "/rp/workspaces", "/history/v1.0", "/data/v1.0"]) {
    await inWorkspace(area, modelManagementEnvelope, unsupportedRoutes);
  }
  return app;
}

/** What the workspace's keys say of its registry: nothing while its user is switched off. */
async function ifEnabled(accounts: RegistryAccounts, workspace: Workspace) {
  return (await accounts.isEnabled(workspace)) ? accounts.adminUser(workspace) : undefined;
}

/** A service shows its image with the models in it; one that was deleted since is left out. */
function imageDetails({ images, models, publicUrl }: HttpDependencies): ServiceRoutesDependencies["imageDetails"] {
  return async (workspace, imageId) => {
    const image = await ifFound(images.get(workspace.id, imageId));
    if (image === undefined) return undefined;
    const found = await Promise.all(image.modelIds.map((id) => ifFound(models.get(workspace.id, id))));
    const details = found.filter((model) => model !== undefined).map(toEmbeddedWireModel);
    return toWireImage(image, { location: await images.location(image), publicUrl }, details);
  };
}
