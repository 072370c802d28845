import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { createServer, request } from "node:https";
import { join } from "node:path";

/** One call as it was on the wire, with everything that differs from run to run taken out. */
export interface RecordedCall {
  readonly call: string;
  readonly request?: unknown;
  readonly status: number;
  readonly headers: readonly string[];
  readonly response?: unknown;
}

/** Stands between a client and the control plane and writes down what they say; both talk real HTTPS. */
export async function startRecordingProxy(options: {
  readonly port: number;
  readonly target: string;
  readonly dataFolder: string;
}) {
  const tls = join(options.dataFolder, "tls");
  const [cert, key, ca] = await Promise.all(
    ["server.pem", "server.key", "ca.pem"].map((name) => readFile(join(tls, name))),
  );
  const calls: RecordedCall[] = [];
  const server = createServer({ cert: cert as Buffer, key: key as Buffer }, async (incoming, outgoing) => {
    const body = await collect(incoming);
    const forwarded = request(new URL(incoming.url ?? "/", options.target), {
      method: incoming.method,
      headers: incoming.headers,
      ca: ca as Buffer,
    });
    forwarded.end(body);
    const [answer] = (await once(forwarded, "response")) as [import("node:http").IncomingMessage];
    const answered = await collect(answer);
    calls.push({
      call: `${incoming.method} ${template(incoming.url ?? "/")}`,
      ...jsonShape("request", incoming.headers, body),
      status: answer.statusCode ?? 0,
      headers: ["operation-location", "azure-asyncoperation", "etag"].filter(
        (name) => answer.headers[name] !== undefined,
      ),
      ...jsonShape("response", answer.headers, answered),
    });
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    outgoing.end(answered);
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  return {
    /**
     * Each kind of call once, in the order of first appearance. How often a client polls, and whether an operation was still running then,
     * is not part of the contract: a field that was null in one answer and had a value in another has that value's type.
     */
    calls(): RecordedCall[] {
      const kinds = new Map<string, RecordedCall>();
      for (const call of calls) {
        const kind = `${call.call} ${call.status}`;
        kinds.set(kind, merge(kinds.get(kind) ?? null, call) as RecordedCall);
      }
      return [...kinds.values()];
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Whether an operation is asked for a second time, from an offset on, is a matter of how long it takes. */
function template(url: string): string {
  return decodeURIComponent(url)
    .replace(/\/msi\/[^/]+\//, "/msi/SECRET/")
    .replace(
      /\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.MachineLearningServices\/workspaces\/[^/?]+/i,
      "{WSID}",
    )
    .replace(/\/blobs\/.*/, "/blobs/…")
    .replace(/\/links\/images\/[^/]+/, "/links/images/SECRET")
    .replace(/\/discovery\/workspaces\/.*/, "/discovery/workspaces/ID")
    .replace(/\/(operations|assets)\/[0-9a-f-]{20,}/, "/$1/ID")
    .replace(/LocalUpload\/[^/?]+/, "LocalUpload/CONTAINER")
    .replace(/(\/operations\/ID)\?offset=\d+/, "$1");
}

function jsonShape(name: "request" | "response", headers: IncomingHttpHeaders, body: Buffer): Record<string, unknown> {
  if (body.length === 0 || !/json/.test(headers["content-type"] ?? "")) return {};
  try {
    return { [name]: shape(JSON.parse(body.toString("utf8"))) };
  } catch {
    return {};
  }
}

/** Keys and types. Of a list the first element speaks for all; keys that are names (uploaded paths) are not the contract's. */
function shape(value: unknown): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [/\.(py|pkl|yml|txt|gz)$/.test(key) ? "FILE" : key, shape(inner)]),
  );
}

function merge(left: unknown, right: unknown): unknown {
  if (left === null) return right;
  if (right === null) return left;
  if (Array.isArray(left) && Array.isArray(right)) return left.length >= right.length ? left : right;
  if (typeof left !== "object" || typeof right !== "object") return right;
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>];
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((key) => [key, merge(a[key] ?? null, b[key] ?? null)]));
}
