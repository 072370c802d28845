import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import { newUuid } from "../platform/ids.ts";
import { defaultWorkspaceName, type Workspace, type WorkspaceName } from "./workspace.ts";
import { workspaceNameInvalid, workspaceNotFound } from "./workspace-errors.ts";
import type { WorkspaceTables } from "./workspace-tables.ts";

export type WorkspaceService = ReturnType<typeof createWorkspaceService>;

const rules = {
  subscriptionId: { pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, text: "a UUID is needed" },
  resourceGroup: {
    pattern: /^[\p{L}\p{N}_().-]{0,89}[\p{L}\p{N}_()-]$/u,
    text: '1 to 90 letters, digits, "_", "-", "." and parentheses, not ending with "."',
  },
  name: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{1,32}$/,
    text: '2 to 33 letters, digits, "-" and "_", beginning with a letter or digit',
  },
} as const;

export function createWorkspaceService<Tables extends WorkspaceTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<WorkspaceTables>;

  async function find(name: WorkspaceName): Promise<Workspace | undefined> {
    const row = await db.selectFrom("workspace").selectAll().where("key", "=", keyOf(name)).executeTakeFirst();
    return row && toWorkspace(row);
  }

  return {
    /** @throws {AppError} ResourceNotFound */
    async get(name: WorkspaceName): Promise<Workspace> {
      const workspace = await find(name);
      if (workspace === undefined) throw workspaceNotFound(name);
      return workspace;
    },
    /** The workspace of this name; made if it is not there. @throws {AppError} WorkspaceNameInvalid */
    async ensure(name: WorkspaceName): Promise<Workspace> {
      for (const [field, rule] of Object.entries(rules)) {
        const value = name[field as keyof WorkspaceName];
        if (!rule.pattern.test(value)) throw workspaceNameInvalid(field, value, rule.text);
      }
      await db
        .insertInto("workspace")
        .values({
          id: newUuid(),
          subscription_id: name.subscriptionId,
          resource_group: name.resourceGroup,
          name: name.name,
          key: keyOf(name),
          created_at: clock.now().toISOString(),
        })
        .onConflict((oc) => oc.column("key").doNothing())
        .execute();
      return this.get(name);
    },
    ensureDefault(): Promise<Workspace> {
      return this.ensure(defaultWorkspaceName);
    },
    async byId(id: string): Promise<Workspace | undefined> {
      const row = await db.selectFrom("workspace").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toWorkspace(row);
    },
    async list(): Promise<Workspace[]> {
      const rows = await db.selectFrom("workspace").selectAll().orderBy("created_at").execute();
      return rows.map(toWorkspace);
    },
  };
}

function keyOf(name: WorkspaceName): string {
  return [name.subscriptionId, name.resourceGroup, name.name].join("/").toLowerCase();
}

function toWorkspace(row: WorkspaceTables["workspace"]): Workspace {
  return {
    id: row.id,
    subscriptionId: row.subscription_id,
    resourceGroup: row.resource_group,
    name: row.name,
    createdAt: row.created_at,
  };
}
