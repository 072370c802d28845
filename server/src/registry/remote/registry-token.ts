import type { IncomingMessage } from "node:http";
import { Type } from "typebox";
import { Value } from "typebox/value";
import type { Clock } from "../../platform/clock.ts";
import type { Challenge } from "./challenge.ts";
import { discard, type HttpRequest } from "./http-exchange.ts";
import { readSmall } from "./read-small.ts";
import type { RegistryAddresses } from "./registry-addresses.ts";
import { registryAccessDenied, registryFailed } from "./remote-errors.ts";

/** User name and password of a registry. Secret: never part of a log or a message. */
export interface RemoteCredentials {
  readonly username: string;
  readonly password: string;
}

export interface Token {
  /** value of `Authorization` */
  readonly header: string;
  readonly expiresAt: number;
}

const Answer = Type.Object({
  token: Type.Optional(Type.String({ minLength: 1 })),
  access_token: Type.Optional(Type.String({ minLength: 1 })),
  expires_in: Type.Optional(Type.Number()),
});
const MAX_ANSWER_BYTES = 256 * 1024;
/** The token specification's default when the answer does not say how long it counts. */
const DEFAULT_SECONDS = 60;

/**
 * Gets a token from the place that the registry names (distribution specification, "Token Authentication").
 *
 * @throws {AppError} RegistryAccessDenied, RedirectRefused, RegistryFailed
 */
export async function requestToken(
  deps: {
    readonly addresses: RegistryAddresses;
    readonly clock: Clock;
    send(r: HttpRequest): Promise<IncomingMessage>;
  },
  wanted: {
    readonly host: string;
    readonly repository: string;
    readonly scope: string;
    readonly challenge: Challenge;
  },
  credentials: RemoteCredentials | undefined,
  signal: AbortSignal,
): Promise<Token> {
  const { host, repository, challenge } = wanted;
  const { realm, service } = challenge.parameters;
  const url = URL.parse(realm ?? "");
  if (url === null) throw registryFailed(host, "it names no place where tokens are given");
  const origin = new URL(deps.addresses.origin(host));
  deps.addresses.checkRedirect(host, origin, url);
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", wanted.scope);
  const headers =
    credentials === undefined
      ? {}
      : {
          Authorization: `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`,
        };
  const answer = await deps.send({ method: "GET", url, headers, signal });
  const status = answer.statusCode ?? 0;
  if (status !== 200) {
    discard(answer);
    if (status === 400 || status === 401 || status === 403 || status === 404) {
      throw registryAccessDenied(host, repository, credentials !== undefined);
    }
    throw registryFailed(host, `the place that gives tokens, ${url.host}, answered ${status}`);
  }
  const text = (await readSmall(answer, MAX_ANSWER_BYTES, signal))?.toString("utf8");
  const body = parse(text);
  const token = body?.token ?? body?.access_token;
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw registryFailed(host, `the place that gives tokens, ${url.host}, gave none`);
  }
  const seconds = body?.expires_in ?? DEFAULT_SECONDS;
  return { header: `Bearer ${token}`, expiresAt: deps.clock.now().getTime() + seconds * 1000 };
}

function parse(text: string | undefined) {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return Value.Check(Answer, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
