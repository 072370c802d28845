import { type Fetch, reach } from "./http.ts";
import { errorFromResponse, SlipwayError } from "./slipway-error.ts";
import type { Service } from "./wire.ts";

export interface ScoreOptions {
  /** sent with the request; score.py sees them if its `run` asks for `request_headers` */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends data to a service and returns the decoded answer. A failure of score.py itself is an error with statusCode 424 and the cause as its message.
 *
 * @throws {SlipwayError}
 */
export type Scorer = (data: unknown, options?: ScoreOptions) => Promise<unknown>;

interface ScorerOptions {
  readonly fetch: Fetch;
  service(): Promise<Service>;
  key(): Promise<string>;
}

export async function createScorer(options: ScorerOptions): Promise<Scorer> {
  const service = await options.service();
  const { scoringUri } = service;
  if (!scoringUri)
    throw new SlipwayError({
      code: "ServiceNotReady",
      message: `The service ${service.name} has no scoring address (it is ${service.state}${service.error ? `: ${service.error.message}` : ""}).`,
    });
  let key = service.authEnabled === true ? await options.key() : undefined;

  const post = (data: unknown, request: ScoreOptions) =>
    reach(options.fetch, scoringUri, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...request.headers,
        ...(key === undefined ? {} : bearer(key)),
      },
      body: typeof data === "string" ? data : JSON.stringify(data),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });

  return async (data, request = {}) => {
    let response = await post(data, request);
    if (response.status === 401) {
      // Keys may have been regenerated, or authentication switched on, since the last request.
      await response.body?.cancel();
      key = await options.key();
      response = await post(data, request);
    }
    if (!response.ok) throw await errorFromResponse(response);
    const text = await response.text();
    return isJson(response) ? JSON.parse(text) : text;
  };
}

export function bearer(key: string): { readonly authorization: string } {
  return { authorization: `Bearer ${key}` };
}

function isJson(response: Response): boolean {
  return response.headers.get("content-type")?.includes("json") === true;
}
