import { createHash, timingSafeEqual } from "node:crypto";
import type { Kysely } from "kysely";
import { newSecret } from "../platform/ids.ts";
import type { SecretStore } from "../secret/index.ts";
import type { Workspace } from "../workspace/index.ts";
import { registryNamespace } from "./registry.ts";
import { adminUserDisabled } from "./registry-errors.ts";
import type { RegistryTables } from "./registry-tables.ts";

export type PasswordNumber = 1 | 2;

export interface AdminUser {
  readonly username: string;
  readonly passwords: readonly [string, string];
}

export interface RegistryAccountDependencies<Tables extends RegistryTables> {
  readonly database: Kysely<Tables>;
  readonly secrets: SecretStore;
  readonly workspaces: { list(): Promise<readonly Workspace[]> };
}

export type RegistryAccounts = ReturnType<typeof createRegistryAccounts>;

/**
 * The admin user that each workspace's registry has: its name is the workspace's, and of its two passwords one can be renewed while
 * clients still use the other.
 */
export function createRegistryAccounts<Tables extends RegistryTables>(deps: RegistryAccountDependencies<Tables>) {
  const { secrets } = deps;
  const db = deps.database as unknown as Kysely<RegistryTables>;
  /** Each request asks. Promises: what was read before a change must not be put back after it. */
  const known = new Map<string, Promise<readonly Buffer[]>>();

  const secretName = (workspaceId: string, which: PasswordNumber) => `registry/${workspaceId}/${which}`;
  const password = (workspaceId: string, which: PasswordNumber) =>
    secrets.getOrCreate(secretName(workspaceId, which), newSecret);

  async function isEnabled({ id }: Workspace): Promise<boolean> {
    const row = await db
      .selectFrom("registry_account")
      .select("enabled")
      .where("workspace_id", "=", id)
      .executeTakeFirst();
    return row?.enabled !== 0;
  }

  /** @throws {AppError} RegistryAdminUserDisabled */
  async function adminUser(workspace: Workspace): Promise<AdminUser> {
    if (!(await isEnabled(workspace))) throw adminUserDisabled(workspace.name);
    return {
      username: workspace.name,
      passwords: [await password(workspace.id, 1), await password(workspace.id, 2)],
    };
  }

  /** of the passwords; none while the user is switched off */
  function hashesOf(workspace: Workspace): Promise<readonly Buffer[]> {
    const cached = known.get(workspace.id);
    if (cached !== undefined) return cached;
    const reading = readHashes(workspace);
    known.set(workspace.id, reading);
    reading.catch(() => {
      if (known.get(workspace.id) === reading) known.delete(workspace.id);
    });
    return reading;
  }

  async function readHashes(workspace: Workspace): Promise<readonly Buffer[]> {
    return (await isEnabled(workspace)) ? (await adminUser(workspace)).passwords.map(hashOf) : [];
  }

  return {
    isEnabled,
    adminUser,

    async setEnabled(workspace: Workspace, enabled: boolean): Promise<void> {
      await db
        .insertInto("registry_account")
        .values({ workspace_id: workspace.id, enabled: enabled ? 1 : 0 })
        .onConflict((oc) => oc.column("workspace_id").doUpdateSet({ enabled: enabled ? 1 : 0 }))
        .execute();
      known.delete(workspace.id);
    },

    /** The old password signs in no more. @throws {AppError} RegistryAdminUserDisabled */
    async renew(workspace: Workspace, which: PasswordNumber): Promise<AdminUser> {
      if (!(await isEnabled(workspace))) throw adminUserDisabled(workspace.name);
      await secrets.replace(secretName(workspace.id, which), newSecret());
      known.delete(workspace.id);
      return adminUser(workspace);
    },

    /** The workspace that has this namespace and these credentials; undefined when none has. */
    async verify(
      namespace: string | undefined,
      username: string,
      password: string,
    ): Promise<{ readonly workspaceId: string; readonly namespace: string } | undefined> {
      const given = hashOf(password);
      for (const workspace of await deps.workspaces.list()) {
        const own = registryNamespace(workspace.name);
        if (username !== workspace.name || (namespace !== undefined && own !== namespace)) continue;
        const hashes = await hashesOf(workspace);
        if (hashes.some((hash) => timingSafeEqual(hash, given))) return { workspaceId: workspace.id, namespace: own };
      }
      return undefined;
    },
  };
}

function hashOf(password: string): Buffer {
  return createHash("sha256").update(password).digest();
}
