/** A flag byte and the length: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message". */
export const PREFIX_BYTES = 5;

export type UnaryMessage =
  | { readonly kind: "message"; readonly payload: readonly Buffer[] }
  | { readonly kind: "compressed" | "several" | "broken" };

/** The one message that the body of a unary request consists of. */
export function readUnary(body: readonly Buffer[]): UnaryMessage {
  const [first = Buffer.alloc(0), ...rest] = body;
  // A prefix in pieces is rare enough to copy everything for it.
  if (first.length < PREFIX_BYTES && rest.length > 0) return readUnary([Buffer.concat(body)]);
  if (first.length < PREFIX_BYTES) return { kind: "broken" };
  const compressed = first.readUInt8(0);
  if (compressed !== 0) return { kind: compressed === 1 ? "compressed" : "broken" };
  const payload = [first.subarray(PREFIX_BYTES), ...rest];
  const surplus = payload.reduce((bytes, part) => bytes + part.length, 0) - first.readUInt32BE(1);
  if (surplus !== 0) return { kind: surplus > 0 ? "several" : "broken" };
  return { kind: "message", payload };
}

export function messagePrefix(payloadBytes: number): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(payloadBytes, 1);
  return prefix;
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** The longest that a timer of Node's can wait: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** `grpc-timeout` in milliseconds, at least 1; `undefined` for what is none. */
export function timeoutMs(header: string | undefined): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header ?? "") ?? [];
  const factor = UNIT_MS[unit];
  if (amount === undefined || factor === undefined) return undefined;
  return Math.min(LONGEST_MS, Math.max(1, Math.floor(Number(amount) * factor)));
}

/** Percent-encoded as `grpc-message` wants it: UTF-8, with everything but printable ASCII and the percent sign itself. */
export function encodeMessage(text: string): string {
  return Buffer.from(text)
    .toString("latin1")
    .replace(/[^\x20-\x24\x26-\x7e]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
