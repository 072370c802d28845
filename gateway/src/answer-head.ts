import { CONNECTION_HEADERS } from "./connection-headers.ts";

/** The head of a replica's answer, read and checked. */
export interface AnswerHead {
  readonly headers: Readonly<Record<string, unknown>>;
  /** what {@link passableHeaders} says of them */
  readonly passable: readonly string[] | string;
}

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Of the connection, or set here. */
const NOT_PASSED = new Set([...CONNECTION_HEADERS, "proxy-authenticate"]);

/**
 * Flat `name, value, …` for `writeHead`, or in words what HTTP does not allow.
 *
 * @param replaced flat as well: headers of these names are left out
 */
export function passableHeaders(
  headers: Readonly<Record<string, unknown>>,
  replaced: readonly string[] = [],
): string[] | string {
  const flat: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (!TOKEN.test(name)) return `${JSON.stringify(name.slice(0, 60))} is not a header name`;
    if (typeof value !== "string" || !FIELD_VALUE.test(value)) {
      return `the value of header '${name.slice(0, 60)}' has characters that a header cannot have`;
    }
    const lower = name.toLowerCase();
    if (!NOT_PASSED.has(lower) && !replaced.includes(lower)) flat.push(name, value);
  }
  return flat;
}

/** So many heads are remembered, none longer than this. */
const KNOWN_HEADS = 64;
const KNOWN_BYTES = 512;

/** Reads the heads of one replica's answers. Nearly all are the same few again and again: those are read and checked once. */
export function answerHeads(): (json: Buffer) => AnswerHead | string {
  const known = new Map<string, AnswerHead>();
  return (json) => {
    // Another text for every other sequence of bytes, whatever they mean.
    const raw = json.length > KNOWN_BYTES ? undefined : json.toString("latin1");
    const found = raw === undefined ? undefined : known.get(raw);
    if (found !== undefined) return found;
    const head = readHead(json);
    if (raw !== undefined && typeof head !== "string") {
      if (known.size === KNOWN_HEADS) known.clear();
      known.set(raw, head);
    }
    return head;
  };
}

function readHead(json: Buffer): AnswerHead | string {
  try {
    const head: unknown = JSON.parse(json.toString());
    const headers = typeof head === "object" && head !== null && "h" in head ? head.h : undefined;
    if (typeof headers !== "object" || headers === null) return "its head has no headers";
    const plain = { ...headers };
    return { headers: plain, passable: passableHeaders(plain) };
  } catch {
    return "its head is not JSON";
  }
}
