import { createPrincipalService, createTokenIssuer, newSigningKey } from "../access/index.ts";
import { createUploadAddresses } from "../artifact/index.ts";
import { newSecret, newUuid } from "../platform/ids.ts";
import type { Data } from "./data.ts";
import type { Installation } from "./installation.ts";

export type Access = Awaited<ReturnType<typeof createAccess>>;

/** Who may come in: the keys of the installation, made at its first start, and what they sign. */
export async function createAccess({ clock, publicUrl }: Installation, { database, secrets }: Data) {
  const tenantId = await secrets.getOrCreate("tenant-id", newUuid);
  const tokenKey = await secrets.getOrCreate("token-key", newSigningKey);
  const identitySecret = await secrets.getOrCreate("identity-address", newSecret);
  const uploadKey = await secrets.getOrCreate("upload-key", newSecret);
  return {
    tokens: await createTokenIssuer(tokenKey, tenantId, clock),
    principals: createPrincipalService(database, clock),
    /** whoever knows the address is the person who started the server */
    identitySecret,
    addresses: createUploadAddresses({ publicUrl: () => publicUrl, signingKey: Buffer.from(uploadKey), clock }),
  };
}
