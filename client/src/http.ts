import { errorFromResponse, SlipwayError } from "./slipway-error.ts";
import { whyUnreachable } from "./unreachable.ts";

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Calls to the control plane, with the caller's token. */
export interface Http {
  readonly baseUrl: string;
  /** Any 2xx answer. @throws {SlipwayError} for every other one, and when there is none */
  send(method: string, url: string, options?: RequestOptions): Promise<Response>;
  /** The decoded body of a 2xx answer. The server's own schemas made it, so it is not checked again. */
  json<T>(method: string, url: string, options?: RequestOptions): Promise<T>;
}

export interface HttpOptions {
  readonly url: string;
  readonly getToken: () => Promise<string>;
  readonly fetch: Fetch;
}

export function createHttp(options: HttpOptions): Http {
  const baseUrl = options.url.replace(/\/+$/, "");

  async function send(method: string, url: string, request: RequestOptions = {}): Promise<Response> {
    const headers: Record<string, string> = {
      accept: "application/json",
      authorization: `Bearer ${await options.getToken()}`,
    };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    const response = await reach(options.fetch, withQuery(url, request.query), {
      method,
      headers,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    if (!response.ok) throw await errorFromResponse(response);
    return response;
  }

  return {
    baseUrl,
    send,
    async json<T>(method: string, url: string, request?: RequestOptions): Promise<T> {
      const response = await send(method, url, request);
      return (await readJson(response)) as T;
    },
  };
}

/** `fetch` with a failure that says which server did not answer, and why. A cancelled request throws the signal's reason. */
export async function reach(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw new SlipwayError({
      code: "ServerUnreachable",
      message: `No answer from ${new URL(url).host}: ${whyUnreachable(error)}`,
      cause: error,
    });
  }
}

/** A 2xx body as JSON. @throws {SlipwayError} UnexpectedAnswer, usually a proxy's page */
export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlipwayError({
      code: "UnexpectedAnswer",
      statusCode: response.status,
      message: `The answer from ${response.url} is not JSON: ${JSON.stringify(text.slice(0, 120))}. Is this address a Slipway server?`,
      cause: error,
    });
  }
}

function withQuery(url: string, query: RequestOptions["query"] = {}): string {
  const result = new URL(url);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) result.searchParams.set(key, String(value));
  }
  return result.href;
}
