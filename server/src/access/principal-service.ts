import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../platform/clock.ts";
import { newSecret, newUuid } from "../platform/ids.ts";
import { clientSecretWrong, principalNameInvalid, principalNotFound } from "./access-errors.ts";
import type { AccessTables } from "./access-tables.ts";
import type { Principal } from "./token-issuer.ts";

export interface ServicePrincipal {
  readonly clientId: string;
  readonly name: string;
  readonly createdAt: string;
}

export type PrincipalService = ReturnType<typeof createPrincipalService>;

/** Programs that sign in with an id and a secret; the secret is shown once, when it is made. */
export function createPrincipalService<Tables extends AccessTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<AccessTables>;
  const active = () => db.selectFrom("principal").selectAll().where("revoked_at", "is", null);

  return {
    async create(name: string): Promise<ServicePrincipal & { clientSecret: string }> {
      if (!/^[\p{L}\p{N} ._-]{1,64}$/u.test(name)) throw principalNameInvalid(name);
      const clientSecret = newSecret();
      const salt = randomBytes(16).toString("hex");
      const row = {
        client_id: newUuid(),
        name,
        salt,
        hash: hashSecret(salt, clientSecret),
        created_at: clock.now().toISOString(),
        revoked_at: null,
      };
      await db.insertInto("principal").values(row).execute();
      return { clientId: row.client_id, name, createdAt: row.created_at, clientSecret };
    },
    async list(): Promise<ServicePrincipal[]> {
      const rows = await active().orderBy("created_at").execute();
      return rows.map((row) => ({ clientId: row.client_id, name: row.name, createdAt: row.created_at }));
    },
    async revoke(clientId: string): Promise<void> {
      const result = await db
        .updateTable("principal")
        .set({ revoked_at: clock.now().toISOString() })
        .where("client_id", "=", clientId)
        .where("revoked_at", "is", null)
        .executeTakeFirst();
      if (result.numUpdatedRows === 0n) throw principalNotFound(clientId);
    },
    /** @throws {AppError} invalid_client */
    async signIn(clientId: string, secret: string): Promise<Principal> {
      const row = await active().where("client_id", "=", clientId).executeTakeFirst();
      // An unknown id takes as long as a wrong secret.
      const expected = Buffer.from(row?.hash ?? "0".repeat(64), "hex");
      const given = Buffer.from(hashSecret(row?.salt ?? "", secret), "hex");
      if (!timingSafeEqual(expected, given) || row === undefined) throw clientSecretWrong();
      return { id: row.client_id, name: row.name };
    },
    async isActive(clientId: string): Promise<boolean> {
      return (await active().where("client_id", "=", clientId).executeTakeFirst()) !== undefined;
    },
  };
}

function hashSecret(salt: string, secret: string): string {
  return createHash("sha256").update(salt).update(secret).digest("hex");
}
