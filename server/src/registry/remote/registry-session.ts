import type { IncomingMessage } from "node:http";
import type { Clock } from "../../platform/clock.ts";
import { pause } from "../../platform/pause.ts";
import { parseChallenges } from "./challenge.ts";
import { discard, type HttpExchange, type HttpRequest } from "./http-exchange.ts";
import type { RegistryAddresses } from "./registry-addresses.ts";
import { type RemoteCredentials, requestToken, type Token } from "./registry-token.ts";
import { redirectRefused, registryAccessDenied, registryBusy, registryFailed } from "./remote-errors.ts";
import { isBroken, isNotTls, transportFailure } from "./transport-failure.ts";

/** One client of one repository: signs in, follows redirects, waits when it is told to. */
export interface RegistrySession {
  readonly host: string;
  /**
   * @param path below `/v2/REPOSITORY/`, or the whole address of an upload
   * @returns any answer but 401, 403, 429 and 5xx, which become errors after what can be tried was tried
   */
  request(path: string | URL, request: SessionRequest): Promise<IncomingMessage>;
  /** The address that an answer names, relative to the registry; undefined when it is none or without the encryption that there was. */
  resolve(location: string): URL | undefined;
}

export interface SessionRequest {
  readonly method: HttpRequest["method"];
  readonly headers?: Readonly<Record<string, string>>;
  /** asked for anew for every attempt */
  body?(): AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface SessionDependencies {
  readonly exchange: HttpExchange;
  readonly addresses: RegistryAddresses;
  readonly clock: Clock;
  readonly silenceMs: number;
}

const MAX_REDIRECTS = 5;
const MAX_ATTEMPTS = 4;
/** Waiting longer than this is for a person to decide. */
const MAX_WAIT_MS = 30_000;
/** A token that ends in the next moment is no help for a request that takes one. */
const TOKEN_MARGIN_MS = 10_000;

export function openSession(
  deps: SessionDependencies,
  target: { readonly host: string; readonly repository: string; readonly actions: "pull" | "pull,push" },
  credentials: RemoteCredentials | undefined,
): RegistrySession {
  const { exchange, addresses, clock } = deps;
  const { host, repository, actions } = target;
  let signedIn: Token | undefined;

  const isFresh = (token: Token) => clock.now().getTime() + TOKEN_MARGIN_MS < token.expiresAt;

  /** What the registry's refusal asks for; undefined when there is nothing to give. */
  async function signIn(challenge: string | undefined, signal: AbortSignal): Promise<Token | undefined> {
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) {
      const scope = `repository:${repository}:${actions}`;
      return requestToken(
        { ...deps, send: follow },
        { host, repository, scope, challenge: bearer },
        credentials,
        signal,
      );
    }
    const basic = challenges.some(({ scheme }) => scheme === "basic");
    if (!basic || credentials === undefined) return undefined;
    const encoded = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
    return { header: `Basic ${encoded}`, expiresAt: Number.POSITIVE_INFINITY };
  }

  /** Credentials go to the host that they are for and never on to another. */
  async function follow(request: HttpRequest): Promise<IncomingMessage> {
    let current = request;
    for (let redirects = 0; ; redirects++) {
      const answer = await exchange.send(current);
      const { location } = answer.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0) && location !== undefined;
      if (!isRedirect) return answer;
      discard(answer);
      if (request.method !== "GET" && request.method !== "HEAD") throw redirectRefused(host, "an upload cannot move");
      if (redirects === MAX_REDIRECTS) throw redirectRefused(host, `more than ${MAX_REDIRECTS} redirects in a row`);
      const url = URL.parse(location, current.url.href);
      if (url === null) throw redirectRefused(host, "the new address is none");
      addresses.checkRedirect(host, current.url, url);
      const { Authorization: secret, ...open } = current.headers ?? {};
      const stays = url.origin === request.url.origin && secret !== undefined;
      current = { ...current, url, headers: stays ? { ...open, Authorization: secret } : open };
    }
  }

  async function once(url: URL, { body, ...request }: SessionRequest): Promise<IncomingMessage> {
    const mayKnow = url.origin === addresses.origin(host);
    const send = (token: Token | undefined) =>
      follow({
        ...request,
        url,
        headers: { ...request.headers, ...(token !== undefined && mayKnow ? { Authorization: token.header } : {}) },
        body: body?.(),
      });
    const answer = await send(signedIn !== undefined && isFresh(signedIn) ? signedIn : undefined);
    if (answer.statusCode !== 401) return answer;
    discard(answer);
    signedIn = mayKnow ? await signIn(answer.headers["www-authenticate"], request.signal) : undefined;
    if (signedIn === undefined) throw registryAccessDenied(host, repository, credentials !== undefined);
    return send(signedIn);
  }

  async function withScheme(path: string | URL, request: SessionRequest): Promise<IncomingMessage> {
    if (path instanceof URL) return once(path, request);
    const at = () => new URL(`${addresses.origin(host)}/v2/${repository}/${path}`);
    try {
      return await once(at(), request);
    } catch (error) {
      if (!isNotTls(error) || !addresses.allowPlain(host)) throw error;
      return once(at(), request);
    }
  }

  return {
    host,
    resolve(location) {
      const base = new URL(addresses.origin(host));
      const url = URL.parse(location, base.href);
      return location === "" || url === null || (url.protocol !== base.protocol && url.protocol !== "https:")
        ? undefined
        : url;
    },
    async request(path, request) {
      const { signal } = request;
      for (let attempt = 1; ; attempt++) {
        const last = attempt === MAX_ATTEMPTS;
        let answer: IncomingMessage;
        try {
          answer = await withScheme(path, request);
        } catch (error) {
          signal.throwIfAborted();
          const again = isBroken(error) && (request.method === "GET" || request.method === "HEAD") && attempt < 3;
          if (!again) throw transportFailure(host, error, deps.silenceMs);
          await pause(250 * attempt, signal);
          continue;
        }
        const status = answer.statusCode ?? 0;
        if (status === 401 || status === 403) {
          discard(answer);
          throw registryAccessDenied(host, repository, credentials !== undefined);
        }
        if (status !== 429 && status < 500) return answer;
        discard(answer);
        const asked = retryAfterMs(answer.headers["retry-after"], clock);
        const wait = asked ?? 500 * 2 ** attempt;
        if (last || wait > MAX_WAIT_MS) {
          if (status !== 429) throw registryFailed(host, `it answered ${status} to ${request.method}`);
          throw registryBusy(host, asked === undefined ? undefined : Math.ceil(asked / 1000));
        }
        await pause(wait, signal);
      }
    },
  };
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now().getTime());
}
