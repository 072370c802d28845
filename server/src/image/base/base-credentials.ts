import type { Kysely } from "kysely";
import type { SecretBox } from "../../secret/index.ts";
import type { Image, RegistryCredentials } from "../image.ts";
import { parseImageId } from "../image-store.ts";
import type { BaseTables } from "./base-tables.ts";

type ImageName = Pick<Image, "workspaceId" | "name" | "version">;

/** User name and password for the registry of an image's base. Sealed in a table of their own, so that no reader of images meets them. */
export interface BaseCredentials {
  /** @param transaction the one that makes the image */
  put(transaction: unknown, image: ImageName, credentials: RegistryCredentials): Promise<void>;
  find(workspaceId: string, imageId: string): Promise<RegistryCredentials | undefined>;
}

export function createBaseCredentials<Tables extends BaseTables>(
  database: Kysely<Tables>,
  box: SecretBox,
): BaseCredentials {
  const db = database as unknown as Kysely<BaseTables>;
  return {
    async put(transaction, { workspaceId, name, version }, credentials) {
      const sealed = box.seal(JSON.stringify(credentials));
      await (transaction as Kysely<BaseTables>)
        .insertInto("image_base_credentials")
        .values({ workspace_id: workspaceId, name, version, sealed })
        .execute();
    },
    async find(workspaceId, imageId) {
      const { name, version } = parseImageId(imageId);
      const row = await db
        .selectFrom("image_base_credentials")
        .select("sealed")
        .where("workspace_id", "=", workspaceId)
        .where("name", "=", name)
        .where("version", "=", version)
        .executeTakeFirst();
      return row && (JSON.parse(box.open(row.sealed)) as RegistryCredentials);
    },
  };
}
