import {
  createClient,
  type Fetch,
  type SlipwayClient,
  SlipwayError,
  type WorkspaceName,
  whyUnreachable,
} from "@slipway/client";
import type { Agent } from "undici";
import type { Connection } from "./connection.ts";

/** A client for this connection. Its sockets are kept for the next request and do not keep the program alive. */
export function connect(connection: Connection, workspace?: WorkspaceName): SlipwayClient {
  const fetch = fetchTrusting(connection.ca);
  return createClient({ url: connection.url, token: tokenOf(connection, fetch), fetch, workspace });
}

function tokenOf({ credential, url }: Connection, fetch: Fetch): string | (() => Promise<string>) {
  if ("token" in credential) return credential.token;
  if ("tokenUrl" in credential)
    return renewedToken(() => requestToken(fetch, url, credential.tokenUrl, { resource: url }));
  const { clientId, clientSecret } = credential;
  const form = {
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: `${url}/.default`,
  };
  return renewedToken(() => requestToken(fetch, url, `${url}/adfs/oauth2/v2.0/token`, form));
}

/** `fetch` that trusts one certificate authority, or the system's if none is given. */
export function fetchTrusting(ca: string | undefined): Fetch {
  return fetchThrough({ ...(ca === undefined ? {} : { connect: { ca } }), keepAliveTimeout: 30_000 });
}

/** `fetch` that trusts whoever answers: only for what a person compares afterwards (`slipway login`). */
export const fetchUnverified: Fetch = fetchThrough({ connect: { rejectUnauthorized: false } });

/** The HTTP client is loaded by the first request: that takes longer than `slipway --help` takes in all. */
function fetchThrough(options: Agent.Options): Fetch {
  let dispatcher: Agent | undefined;
  return async (url, init) => {
    const undici = await import("undici");
    dispatcher ??= new undici.Agent(options);
    // undici's types and the platform's describe the same objects under two names.
    const fetch = undici.fetch as unknown as (url: string, init: unknown) => Promise<Response>;
    return fetch(url, { ...init, dispatcher });
  };
}

/** Renewed a minute early, so that no request starts with a token that ends on its way. */
const RENEW_BEFORE_MS = 60_000;

/** Asks for a token when there is none or it ends soon (wire contract, 2.2 and 2.4). */
function renewedToken(request: () => Promise<TokenAnswer>): () => Promise<string> {
  let current: { readonly token: string; readonly renewAt: number } | undefined;
  return async () => {
    if (current !== undefined && Date.now() < current.renewAt) return current.token;
    const answer = await request();
    current = { token: answer.access_token, renewAt: Date.now() + Number(answer.expires_in) * 1_000 - RENEW_BEFORE_MS };
    return current.token;
  };
}

interface TokenAnswer {
  readonly access_token: string;
  /** seconds; text from one address, a number from the other */
  readonly expires_in: string | number;
}

async function requestToken(fetch: Fetch, server: string, tokenUrl: string, form: Readonly<Record<string, string>>) {
  let response: Response;
  try {
    response = await fetch(tokenUrl, {
      method: "POST",
      headers: { metadata: "true", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
  } catch (error) {
    throw new SlipwayError({
      code: "ServerUnreachable",
      message: `No answer from ${server}: ${whyUnreachable(error)}`,
      cause: error,
    });
  }
  if (!response.ok)
    throw new SlipwayError({
      code: "SignInFailed",
      statusCode: 401,
      message: `${server} gave no token (status ${response.status}). The service principal may be revoked, or another server may have taken over this address or data folder; sign in again.`,
    });
  return (await response.json()) as TokenAnswer;
}
