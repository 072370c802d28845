import type { DescribeOperation, Operation, OperationDescriptions } from "../operation/index.ts";
import { type Workspace, workspaceResourceId } from "../workspace/index.ts";
import { CONFIGURE_SERVICE } from "./configure-service.operation.ts";
import { DELETE_SERVICE } from "./delete-service.operation.ts";
import { DEPLOY_SERVICE, type DeployInput, WAIT_FOR_IMAGE } from "./deploy-service.operation.ts";
import { SCALE_SERVICE } from "./scale-service.operation.ts";
import { undefinedIfNotFound } from "./service-errors.ts";

/**
 * What the wire shows of service operations. A deploy that ended at the image's build points to the build's log, any other
 * to the service's (wire contract, section 8).
 *
 * @param buildLogUrl address of an image's build log that opens without a token
 */
export function describeServiceOperations(
  buildLogUrl: (workspace: Workspace, imageId: string) => Promise<string | undefined>,
): OperationDescriptions {
  const common = (operation: Operation, workspace: Workspace) => {
    const { name } = operation.input as { readonly name: string };
    const resourceLocation = `${workspaceResourceId(workspace).slice(1)}/services/${name}`;
    return { operationType: "Service", resourceLocation, streamsLog: true };
  };
  const plain =
    (subOperationType: string): DescribeOperation =>
    async (operation, workspace) => ({ ...common(operation, workspace), subOperationType });
  return {
    [DEPLOY_SERVICE]: async (operation, workspace) => {
      const building = operation.step === WAIT_FOR_IMAGE;
      const { imageId } = (operation.input as DeployInput).settings;
      const operationLog = building ? await buildLogUrl(workspace, imageId).catch(undefinedIfNotFound) : undefined;
      return {
        ...common(operation, workspace),
        subOperationType: operationLog === undefined ? "DeployService" : "BuildImage",
        ...(operationLog === undefined ? {} : { operationLog }),
      };
    },
    [CONFIGURE_SERVICE]: plain("UpdateService"),
    [SCALE_SERVICE]: plain("ScaleService"),
    [DELETE_SERVICE]: plain("DeleteService"),
  };
}
