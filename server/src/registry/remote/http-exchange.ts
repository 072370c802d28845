import { readFile } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createSecureContext, getCACertificates } from "node:tls";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

export interface HttpExchange {
  /** Sends one request; no redirect is followed. Errors are Node's own, or `SilenceError`. */
  send(request: HttpRequest): Promise<IncomingMessage>;
  close(): void;
}

export interface HttpExchangeOptions {
  /** HTTPS_PROXY, HTTP_PROXY, NO_PROXY and SSL_CERT_FILE are read from here */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** certificate authorities to be trusted beside those of Node, the system and SSL_CERT_FILE; PEM */
  readonly ca?: readonly string[];
  /** how long the other side may say nothing */
  readonly silenceMs: number;
}

/** The other side said nothing for too long. */
export class SilenceError extends Error {}

/** HTTP with the proxy and certificate settings of this machine. Connections are kept open between requests. */
export function createHttpExchange(options: HttpExchangeOptions): HttpExchange {
  const { silenceMs } = options;
  const proxyEnv = options.env as NodeJS.ProcessEnv;
  const plain = new HttpAgent({ keepAlive: true, proxyEnv });
  let secure: Promise<HttpsAgent> | undefined;
  /** Reading hundreds of certificates takes time: once, and only if somebody speaks TLS. */
  const secureAgent = () => {
    secure ??= trustedAuthorities(options).then(
      (ca) => new HttpsAgent({ keepAlive: true, proxyEnv, secureContext: createSecureContext({ ca }) }),
    );
    return secure;
  };

  return {
    async send({ method, url, headers, body, signal }) {
      signal.throwIfAborted();
      const settings = { method, headers: { "User-Agent": "slipway", ...headers } };
      const outgoing =
        url.protocol === "https:"
          ? httpsRequest(url, { ...settings, agent: await secureAgent() })
          : httpRequest(url, { ...settings, agent: plain });
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      let answer: IncomingMessage | undefined;
      // A request that waits for its connection (behind a proxy that says nothing) tells nobody that it was destroyed.
      const give = (reason: unknown) => {
        (answer ?? outgoing).destroy(reason as Error);
        reject(reason);
      };
      const left = () => give(signal.reason);
      const patience = setTimeout(() => give(new SilenceError()), silenceMs);
      outgoing.setTimeout(silenceMs, () => give(new SilenceError()));
      signal.addEventListener("abort", left, { once: true });
      outgoing.on("response", (response) => {
        answer = response;
        response.on("close", () => signal.removeEventListener("abort", left));
        resolve(response);
      });
      outgoing.on("error", reject);
      if (body === undefined) outgoing.end();
      else {
        // Sending takes as long as it takes, as long as it goes on.
        outgoing.on("socket", () => clearTimeout(patience));
        // An answer may come before the body is through (a refusal): the answer counts, not the broken pipe.
        pipeline(Readable.from(body, { objectMode: false }), outgoing).catch(reject);
      }
      try {
        return await promise;
      } catch (error) {
        signal.removeEventListener("abort", left);
        throw error;
      } finally {
        clearTimeout(patience);
      }
    },
    close() {
      plain.destroy();
      void secure?.then((agent) => agent.destroy());
    },
  };
}

async function trustedAuthorities({ env, ca = [] }: HttpExchangeOptions): Promise<string[]> {
  const own = env.SSL_CERT_FILE ? [await readFile(env.SSL_CERT_FILE, "utf8")] : [];
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system"), ...own, ...ca])];
}

/** Lets go of an answer that nobody reads. A short body is read away, so that the connection can be used again. */
export function discard(answer: IncomingMessage): void {
  const length = Number(answer.headers["content-length"] ?? Number.NaN);
  answer.on("error", () => {
    // Nobody waits for it.
  });
  if (length <= 64 * 1024) answer.resume();
  else answer.destroy();
}
