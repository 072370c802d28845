import type { RequestHead } from "@slipway/api";

/** A request that a model shall answer, by the protocol that it is made in. */
export interface ModelCall {
  readonly form: "score" | "invocations" | "rest" | "grpc";
  /** undefined: the only model there is, or the request names it in its own way */
  readonly model?: string;
  readonly version?: string;
}

/** What else the Open Inference Protocol asks. */
export interface ServerCall {
  readonly question: "live" | "ready" | "server" | "model" | "modelReady";
  readonly model?: string;
  readonly version?: string;
}

export type Call =
  | { readonly kind: "model"; readonly call: ModelCall }
  | { readonly kind: "server"; readonly call: ServerCall }
  | { readonly kind: "methodNotAllowed" };

const SCORE_METHODS: ReadonlySet<string> = new Set(["POST", "GET", "HEAD"]);

/** The call that a request is, if it is one. Only REST: gRPC's are told by {@link grpcMethod}. */
export function callOf({ m, p }: RequestHead): Call | undefined {
  if (p === "/score") {
    if (!SCORE_METHODS.has(m)) return { kind: "methodNotAllowed" };
    return { kind: "model", call: { form: "score" } };
  }
  if (p === "/invocations")
    return m === "POST" ? { kind: "model", call: { form: "invocations" } } : { kind: "methodNotAllowed" };
  if (p !== "/v2" && !p.startsWith("/v2/")) return undefined;
  const parts = segments(p);
  if (parts === undefined) return undefined;
  const call = openInferenceCall(parts);
  if (call === undefined) return undefined;
  const allowed = call.kind === "model" ? m === "POST" : m === "GET" || m === "HEAD";
  return allowed ? call : { kind: "methodNotAllowed" };
}

/** `/v2/models/NAME[/versions/VERSION][/ready|/infer]` and the questions about the server. */
function openInferenceCall([, word, name, ...rest]: readonly string[]): Call | undefined {
  if (word === undefined) return { kind: "server", call: { question: "server" } };
  if (word === "health" && rest.length === 0 && (name === "live" || name === "ready"))
    return { kind: "server", call: { question: name } };
  if (word !== "models" || name === undefined) return undefined;
  const versioned = rest[0] === "versions" && rest[1] !== undefined;
  const named = { model: name, ...(versioned && { version: rest[1] as string }) };
  const [verb, ...more] = versioned ? rest.slice(2) : rest;
  if (more.length > 0) return undefined;
  if (verb === undefined) return { kind: "server", call: { question: "model", ...named } };
  if (verb === "ready") return { kind: "server", call: { question: "modelReady", ...named } };
  return verb === "infer" ? { kind: "model", call: { form: "rest", ...named } } : undefined;
}

/** The parts of a path, decoded; undefined when they cannot be. A `/` at the end counts for nothing. */
function segments(path: string): string[] | undefined {
  try {
    return path.replace(/\/$/, "").slice(1).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

const GRPC_SERVICE = "/inference.GRPCInferenceService/";

const GRPC_QUESTIONS: Readonly<Record<string, ServerCall["question"] | "infer">> = {
  ModelInfer: "infer",
  ServerLive: "live",
  ServerReady: "ready",
  ServerMetadata: "server",
  ModelReady: "modelReady",
  ModelMetadata: "model",
};

/** A call of gRPC: what it asks, `infer`, or undefined for a method that there is not. */
export function grpcQuestion(path: string): ServerCall["question"] | "infer" | undefined {
  if (!path.startsWith(GRPC_SERVICE)) return undefined;
  const method = path.slice(GRPC_SERVICE.length);
  return Object.hasOwn(GRPC_QUESTIONS, method) ? GRPC_QUESTIONS[method] : undefined;
}

/** The gateway has taken the message out of its frame. */
export function isGrpc(head: RequestHead): boolean {
  return head.h["content-type"]?.startsWith("application/grpc") ?? false;
}
