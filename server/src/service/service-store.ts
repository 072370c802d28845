import { type Kysely, sql, type Transaction } from "kysely";
import type { Clock } from "../platform/clock.ts";
import type { Revision, Service } from "./service.ts";
import type { ServiceCertificate } from "./service-certificate.ts";
import { revisionColumns, serviceColumns, toRevision, toService } from "./service-rows.ts";
import type { ServiceTables } from "./service-tables.ts";

export type KeyKind = "Primary" | "Secondary";

/** A key as it is stored: encrypted for its owner, hashed for the gateway. */
export interface StoredKey {
  readonly kind: KeyKind;
  readonly sealed: string;
  readonly salt: string;
  readonly hash: string;
}

/** As it is stored: the key encrypted. */
export interface StoredCertificate extends Omit<ServiceCertificate, "key"> {
  readonly serviceId: string;
  readonly sealedKey: string;
}

export type ServiceTransaction = Transaction<ServiceTables>;
export type ServiceStore = ReturnType<typeof createServiceStore>;

/** All SQL of services and revisions. */
export function createServiceStore<Tables extends ServiceTables>(database: Kysely<Tables>, clock: Clock) {
  const db = database as unknown as Kysely<ServiceTables>;
  const now = () => clock.now().toISOString();

  return {
    /** For what must happen together, operations included. No network and no files inside. */
    transaction<T>(run: (transaction: ServiceTransaction) => Promise<T>): Promise<T> {
      return db.transaction().execute(run);
    },

    async insert(service: Omit<Service, "createdAt" | "updatedAt">, transaction: ServiceTransaction): Promise<void> {
      const at = now();
      await transaction
        .insertInto("service")
        .values({ ...serviceColumns(service), id: service.id, created_at: at, updated_at: at, deleted_at: null })
        .execute();
    },

    /** The living service of this name. */
    async findByName(
      workspaceId: string,
      name: string,
      transaction: Kysely<ServiceTables> = db,
    ): Promise<Service | undefined> {
      const row = await transaction
        .selectFrom("service")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .where("name", "=", name)
        .where("deleted_at", "is", null)
        .executeTakeFirst();
      return row && toService(row);
    },

    /** The living service of this id. */
    async find(id: string, transaction: Kysely<ServiceTables> = db): Promise<Service | undefined> {
      const row = await transaction
        .selectFrom("service")
        .selectAll()
        .where("id", "=", id)
        .where("deleted_at", "is", null)
        .executeTakeFirst();
      return row && toService(row);
    },

    /** Living services by name; of all workspaces without the argument. */
    async list(workspaceId?: string): Promise<Service[]> {
      let query = db.selectFrom("service").selectAll().where("deleted_at", "is", null);
      if (workspaceId !== undefined) query = query.where("workspace_id", "=", workspaceId);
      return (await query.orderBy("name").orderBy("id").execute()).map(toService);
    },

    /** Services whose name is free already but whose replicas may still be there. */
    async listDeleted(): Promise<Service[]> {
      const rows = await db.selectFrom("service").selectAll().where("deleted_at", "is not", null).execute();
      return rows.map(toService);
    },

    async findDeleted(id: string): Promise<Service | undefined> {
      return (await this.listDeleted()).find((service) => service.id === id);
    },

    async update(
      id: string,
      changes: Partial<Omit<Service, "id" | "workspaceId" | "name" | "createdAt" | "updatedAt">>,
      transaction: Kysely<ServiceTables> = db,
    ): Promise<void> {
      await transaction
        .updateTable("service")
        .set({ ...serviceColumns(changes), updated_at: now() })
        .where("id", "=", id)
        .execute();
    },

    async markDeleted(id: string, transaction: ServiceTransaction): Promise<void> {
      await transaction.updateTable("service").set({ deleted_at: now() }).where("id", "=", id).execute();
    },

    /** The last thing that happens to a deleted service; keys and revisions go with it. */
    async forget(id: string): Promise<void> {
      await db.deleteFrom("service").where("id", "=", id).where("deleted_at", "is not", null).execute();
    },

    async keys(serviceId: string): Promise<StoredKey[]> {
      const rows = await db
        .selectFrom("service_key")
        .select(["kind", "sealed", "salt", "hash"])
        .where("service_id", "=", serviceId)
        .orderBy("kind")
        .execute();
      return rows.map((row) => ({ ...row, kind: row.kind as KeyKind }));
    },

    async putKey(serviceId: string, key: StoredKey, transaction: Kysely<ServiceTables> = db): Promise<void> {
      const { kind, ...rest } = key;
      await transaction
        .insertInto("service_key")
        .values({ service_id: serviceId, ...key })
        .onConflict((oc) => oc.columns(["service_id", "kind"]).doUpdateSet(rest))
        .execute();
    },

    /** Certificates of living services, or of one. */
    async certificates(serviceId?: string): Promise<StoredCertificate[]> {
      let query = db
        .selectFrom("service_certificate")
        .innerJoin("service", "service.id", "service_certificate.service_id")
        .selectAll("service_certificate")
        .where("service.deleted_at", "is", null);
      if (serviceId !== undefined) query = query.where("service_id", "=", serviceId);
      const rows = await query.orderBy("service_id").execute();
      return rows.map(({ service_id, certificate, sealed_key, cname, expires_at }) => ({
        serviceId: service_id,
        certificate,
        sealedKey: sealed_key,
        cname,
        expiresAt: expires_at,
      }));
    },

    async putCertificate(stored: StoredCertificate, transaction: Kysely<ServiceTables>): Promise<void> {
      const { serviceId, certificate, sealedKey, cname, expiresAt } = stored;
      const columns = { certificate, sealed_key: sealedKey, cname, expires_at: expiresAt };
      await transaction
        .insertInto("service_certificate")
        .values({ service_id: serviceId, ...columns })
        .onConflict((oc) => oc.column("service_id").doUpdateSet(columns))
        .execute();
    },

    async removeCertificate(serviceId: string, transaction: Kysely<ServiceTables>): Promise<void> {
      await transaction.deleteFrom("service_certificate").where("service_id", "=", serviceId).execute();
    },

    /** Makes the revision of an operation, with the next number; finds it when it is there already. */
    async recordRevision(
      revision: Pick<Revision, "id" | "serviceId" | "settings" | "target"> & { readonly operationId: string },
    ): Promise<Revision> {
      const { id, serviceId, operationId, settings, target } = revision;
      await db
        .insertInto("revision")
        .values({
          ...revisionColumns({ settings, target, state: "starting", cause: null, removedAt: null }),
          id,
          service_id: serviceId,
          operation_id: operationId,
          number: sql<number>`(select coalesce(max(number), 0) + 1 from revision where service_id = ${serviceId})`,
          created_at: now(),
        })
        .onConflict((oc) => oc.column("operation_id").doNothing())
        .execute();
      const row = await db
        .selectFrom("revision")
        .selectAll()
        .where("operation_id", "=", operationId)
        .executeTakeFirstOrThrow();
      return toRevision(row);
    },

    async revisionOfOperation(operationId: string): Promise<Revision | undefined> {
      const row = await db
        .selectFrom("revision")
        .selectAll()
        .where("operation_id", "=", operationId)
        .executeTakeFirst();
      return row && toRevision(row);
    },

    async findRevision(id: string): Promise<Revision | undefined> {
      const row = await db.selectFrom("revision").selectAll().where("id", "=", id).executeTakeFirst();
      return row && toRevision(row);
    },

    /** Newest first. */
    async revisions(serviceId: string): Promise<Revision[]> {
      const rows = await db
        .selectFrom("revision")
        .selectAll()
        .where("service_id", "=", serviceId)
        .orderBy("number", "desc")
        .execute();
      return rows.map(toRevision);
    },

    async updateRevision(
      id: string,
      changes: Partial<Pick<Revision, "state" | "cause" | "settings">> & { readonly removed?: boolean },
    ): Promise<void> {
      const { removed, ...rest } = changes;
      await db
        .updateTable("revision")
        .set(revisionColumns(removed ? { ...rest, removedAt: now() } : rest))
        .where("id", "=", id)
        .execute();
    },

    /** The next number of a route snapshot, above `floor` as well. */
    async nextRouteVersion(floor: number): Promise<number> {
      const row = await db
        .insertInto("route_version")
        .values({ id: 1, version: floor + 1 })
        .onConflict((oc) =>
          oc.column("id").doUpdateSet({ version: sql<number>`max(route_version.version, ${floor}) + 1` }),
        )
        .returning("version")
        .executeTakeFirstOrThrow();
      return row.version;
    },
  };
}
