import type { Http } from "./http.ts";
import type { AccessEntry, NewAccessEntry } from "./wire.ts";

type CallOptions = { readonly signal?: AbortSignal | undefined };

export type Access = ReturnType<typeof createAccess>;

/** Service principals: ids and secrets with which programs sign in (wire contract, 2.4). */
export function createAccess(http: Http) {
  const url = `${http.baseUrl}/slipway/v1/access`;
  return {
    /** The secret is in this answer and nowhere else. */
    async create(name: string, options: CallOptions = {}): Promise<NewAccessEntry> {
      return http.json<NewAccessEntry>("POST", url, { body: { name }, ...options });
    },

    async list(options: CallOptions = {}): Promise<AccessEntry[]> {
      return (await http.json<{ value: AccessEntry[] }>("GET", url, options)).value;
    },

    /** Its secret signs in no more; tokens that were handed out end by themselves. */
    async revoke(clientId: string, options: CallOptions = {}): Promise<void> {
      await http.send("DELETE", `${url}/${encodeURIComponent(clientId)}`, options);
    },
  };
}
