import type { OperationRunner } from "../operation/index.ts";
import type { SecretBox } from "../secret/index.ts";
import { enqueueConfigure } from "./configure-service.operation.ts";
import type { Service } from "./service.ts";
import type { ServiceAddresses } from "./service-address.ts";
import { TOKEN_SECONDS } from "./service-defaults.ts";
import { keysOff, serviceNotFound, tokensOff } from "./service-errors.ts";
import { checkKey, makeKey } from "./service-keys.ts";
import type { KeyKind, ServiceStore } from "./service-store.ts";

export interface ServiceToken {
  readonly token: string;
  /** epoch seconds */
  readonly expiresOn: number;
}

export interface ServiceCredentialsDependencies {
  readonly store: ServiceStore;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  readonly secrets: SecretBox;
  readonly addresses: ServiceAddresses;
  /** a token that opens one service at the gateway; `audience` is its base path */
  issueToken(audience: string, seconds: number): Promise<ServiceToken>;
}

export type ServiceCredentials = ReturnType<typeof createServiceCredentials>;

/** What opens a service at the gateway: its two keys, or tokens. */
export function createServiceCredentials(dependencies: ServiceCredentialsDependencies) {
  const { store, runner, secrets, addresses, issueToken } = dependencies;

  async function withKeys(workspaceId: string, name: string): Promise<Service> {
    const service = await store.findByName(workspaceId, name);
    if (service === undefined) throw serviceNotFound(name);
    if (service.settings.tokenAuthEnabled) throw keysOff(name);
    return service;
  }

  return {
    /** @throws {AppError} ServiceNotFound, ServiceKeysOff */
    async keys(workspaceId: string, name: string): Promise<Readonly<Record<KeyKind, string>>> {
      const service = await withKeys(workspaceId, name);
      const keys = await store.keys(service.id);
      const value = (kind: KeyKind) => {
        const key = keys.find((candidate) => candidate.kind === kind);
        if (key === undefined) throw new Error(`The service ${name} has no ${kind} key.`);
        return secrets.open(key.sealed);
      };
      return { Primary: value("Primary"), Secondary: value("Secondary") };
    },

    /**
     * The new key is stored when this returns.
     *
     * @returns the operation that ends when the gateway goes by it
     * @throws {AppError} ServiceNotFound, ServiceKeysOff, ServiceKeyInvalid
     */
    async regenerate(workspaceId: string, name: string, kind: KeyKind, chosen?: string): Promise<string> {
      if (chosen !== undefined) checkKey("keyValue", chosen);
      const key = makeKey(secrets, kind, chosen);
      const service = await withKeys(workspaceId, name);
      const operationId = await store.transaction(async (transaction) => {
        await store.putKey(service.id, key, transaction);
        return enqueueConfigure(runner, service, transaction);
      });
      runner.wake();
      return operationId;
    },

    /** @throws {AppError} ServiceNotFound, ServiceTokensOff */
    async token(workspaceId: string, name: string): Promise<ServiceToken> {
      const service = await store.findByName(workspaceId, name);
      if (service === undefined) throw serviceNotFound(name);
      if (!service.settings.tokenAuthEnabled) throw tokensOff(name);
      const { basePath } = await addresses(workspaceId, name);
      return issueToken(basePath, TOKEN_SECONDS);
    },
  };
}
