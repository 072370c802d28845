import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export interface HeadQuestion {
  /** proxies are taken from there */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs: number;
  /** `user:password` */
  readonly auth?: string;
  /** PEM certificates that are trusted; Node's own if not given */
  readonly ca?: readonly string[];
}

/** What came of it; neither is there when nobody answered in time. */
export interface HeadAnswer {
  readonly status?: number;
  readonly error?: Error;
}

/** Asks an address for nothing but its head, and never fails: whether somebody is there is the question. */
export function askHead(url: URL, { env, signal, timeoutMs, auth, ca }: HeadQuestion): Promise<HeadAnswer> {
  const settings: RequestOptions = {
    method: "HEAD",
    ...(signal === undefined ? {} : { signal }),
    ...(auth === undefined ? {} : { auth }),
  };
  const proxy = { proxyEnv: env as NodeJS.ProcessEnv };
  return new Promise((resolve) => {
    const question =
      url.protocol === "https:"
        ? httpsRequest(url, {
            ...settings,
            agent: new HttpsAgent({ ...proxy, ...(ca === undefined ? {} : { ca: [...ca] }) }),
          })
        : httpRequest(url, { ...settings, agent: new HttpAgent(proxy) });
    const end = (answer: HeadAnswer) => {
      clearTimeout(timer);
      resolve(answer);
      question.destroy();
    };
    const timer = setTimeout(() => end({}), timeoutMs);
    question.on("response", (response) => end({ status: response.statusCode ?? 0 }));
    question.on("error", (error) => end({ error }));
    question.end();
  });
}
