import {
  ContainerRegistry,
  ContainerRegistryChange,
  RegenerateCredential,
  RegistryCredentials,
  type RegistryPasswordName,
} from "@slipway/api";
import { type Static, Type } from "typebox";
import type { HttpApp } from "../platform/http/app.ts";
import type { Workspace, WorkspaceName } from "../workspace/index.ts";
import type { AdminUser, RegistryAccounts } from "./registry-accounts.ts";

export interface RegistryAccountRouteDependencies {
  readonly accounts: RegistryAccounts;
  readonly workspaces: { get(name: WorkspaceName): Promise<Workspace> };
  readonly publicUrl: string;
}

const PROVIDER = "Microsoft.ContainerRegistry/registries";
const GROUP = "/subscriptions/:subscriptionId/resourceGroups/:resourceGroup/providers";
const params = Type.Object({
  subscriptionId: Type.String(),
  resourceGroup: Type.String(),
  registryName: Type.String(),
});

/** A workspace's registry as the resource manager shows it (wire contract, section 3). */
export function registryAccountRoutes(app: HttpApp, deps: RegistryAccountRouteDependencies): void {
  const { accounts, publicUrl } = deps;
  const path = `${GROUP}/${PROVIDER}/:registryName`;
  const workspaceOf = ({ subscriptionId, resourceGroup, registryName }: Static<typeof params>) =>
    deps.workspaces.get({ subscriptionId, resourceGroup, name: registryName });

  app.get(path, { schema: { params, response: { 200: ContainerRegistry } } }, async (request) =>
    toWire(await workspaceOf(request.params)),
  );

  app.patch(
    path,
    { schema: { params, body: ContainerRegistryChange, response: { 200: ContainerRegistry } } },
    async (request) => {
      const workspace = await workspaceOf(request.params);
      const enabled = request.body.properties?.adminUserEnabled;
      if (enabled !== undefined) await accounts.setEnabled(workspace, enabled);
      return toWire(workspace);
    },
  );

  app.post(`${path}/listCredentials`, { schema: { params, response: { 200: RegistryCredentials } } }, async (request) =>
    toWireCredentials(await accounts.adminUser(await workspaceOf(request.params))),
  );

  app.post(
    `${path}/regenerateCredential`,
    { schema: { params, body: RegenerateCredential, response: { 200: RegistryCredentials } } },
    async (request) => {
      const workspace = await workspaceOf(request.params);
      return toWireCredentials(await accounts.renew(workspace, request.body.name === "password" ? 1 : 2));
    },
  );

  async function toWire(workspace: Workspace): Promise<ContainerRegistry> {
    const { subscriptionId, resourceGroup, name, createdAt } = workspace;
    return {
      id: `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${PROVIDER}/${name}`,
      name,
      type: PROVIDER,
      location: "local",
      tags: {},
      sku: { name: "Basic", tier: "Basic" },
      properties: {
        loginServer: new URL(publicUrl).host,
        creationDate: createdAt,
        provisioningState: "Succeeded",
        adminUserEnabled: await accounts.isEnabled(workspace),
      },
    };
  }
}

function toWireCredentials({ username, passwords }: AdminUser): RegistryCredentials {
  const names: readonly RegistryPasswordName[] = ["password", "password2"];
  return { username, passwords: names.map((name, index) => ({ name, value: passwords[index] ?? "" })) };
}
