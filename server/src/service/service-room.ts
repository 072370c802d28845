import { dirname, join } from "node:path";
import type { ComputeTargets } from "../compute/index.ts";
import type { ImageReader } from "../image/index.ts";
import type { ModelReader } from "../model/index.ts";
import type { OperationDefinition, OperationRunner, OperationStore } from "../operation/index.ts";
import type { Log } from "../platform/log.ts";
import type { SecretBox } from "../secret/index.ts";
import type { Workspace } from "../workspace/index.ts";
import { createServiceAutoscaler } from "./autoscale-services.ts";
import { createCertificateFiles } from "./certificate-files.ts";
import { configureServiceOperation } from "./configure-service.operation.ts";
import { deleteServiceOperation } from "./delete-service.operation.ts";
import { deployServiceOperation } from "./deploy-service.operation.ts";
import { createDeployments, type Targets } from "./deployments.ts";
import { createGatewayControl } from "./gateway-control.ts";
import { createServiceReconciler } from "./reconcile-services.ts";
import { createRoutePublisher } from "./route-publisher.ts";
import { scaleServiceOperation } from "./scale-service.operation.ts";
import { createServiceAddresses } from "./service-address.ts";
import { createServiceCredentials, type ServiceToken } from "./service-credentials.ts";
import { createServiceService } from "./service-service.ts";
import type { ServiceStore } from "./service-store.ts";

export interface ServiceRoomDependencies {
  readonly store: ServiceStore;
  readonly images: ImageReader;
  readonly models: ModelReader;
  readonly targets: Targets;
  readonly computeTargets: ComputeTargets;
  readonly workspaces: { byId(id: string): Promise<Workspace | undefined>; list(): Promise<readonly Workspace[]> };
  readonly operations: OperationStore;
  readonly secrets: SecretBox;
  issueToken(audience: string, seconds: number): Promise<ServiceToken>;
  /** JWK that the gateway verifies those tokens with */
  readonly tokenKey: Readonly<Record<string, unknown>>;
  readonly gateway: {
    readonly controlSocket: string;
    readonly routesFile: string;
    /** `https://host:port` as clients see it, no trailing slash */
    readonly publicUrl: string;
    readonly allowOpen: boolean;
  };
  readonly log: Log;
  /** how often the reconciler looks; for tests */
  readonly lookEveryMs?: number;
}

/** The room's parts, wired. The runner needs the definitions and the services need the runner: hence two stages. */
export function createServiceRoom(dependencies: ServiceRoomDependencies) {
  const { store, images, models, workspaces, operations, secrets, issueToken, log, lookEveryMs } = dependencies;
  const { controlSocket, routesFile, publicUrl, allowOpen } = dependencies.gateway;
  const deployments = createDeployments(dependencies);
  const addresses = createServiceAddresses(workspaces, publicUrl);
  const gateway = createGatewayControl(controlSocket);
  const publisher = createRoutePublisher({
    store,
    deployments,
    workspaces,
    addresses,
    gateway,
    routesFile,
    certificateFiles: createCertificateFiles(join(dirname(routesFile), "certificates"), secrets),
    tokenKey: dependencies.tokenKey,
    allowOpen,
    log,
  });
  const surroundings = { store, images, models, deployments, publisher, gateway, log };
  const definitions: readonly OperationDefinition[] = [
    deployServiceOperation(surroundings),
    deleteServiceOperation(surroundings),
    configureServiceOperation(surroundings),
    scaleServiceOperation(surroundings),
  ];
  return {
    /** for the runner */
    definitions,
    connect(runner: OperationRunner) {
      return {
        services: createServiceService({ store, images, deployments, addresses, runner, operations, secrets }),
        credentials: createServiceCredentials({ store, runner, secrets, addresses, issueToken }),
        autoscaler: createServiceAutoscaler({
          ...surroundings,
          addresses,
          runner,
          operations,
          ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
        }),
        reconciler: createServiceReconciler({
          ...surroundings,
          runner,
          operations,
          ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
        }),
      };
    },
  };
}
