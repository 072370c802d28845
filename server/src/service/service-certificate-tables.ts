import type { Kysely, Migration } from "kysely";

export interface ServiceCertificateTables {
  service_certificate: {
    service_id: string;
    certificate: string;
    sealed_key: string;
    cname: string;
    expires_at: string;
  };
}

export const serviceCertificateMigration: Migration = {
  async up(db: Kysely<never>) {
    await db.schema
      .createTable("service_certificate")
      .addColumn("service_id", "text", (c) => c.primaryKey().references("service.id").onDelete("cascade"))
      .addColumn("certificate", "text", (c) => c.notNull())
      .addColumn("sealed_key", "text", (c) => c.notNull())
      .addColumn("cname", "text", (c) => c.notNull())
      .addColumn("expires_at", "text", (c) => c.notNull())
      .execute();
  },
};
