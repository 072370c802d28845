import { text } from "node:stream/consumers";
import type { Descriptor } from "../registry.ts";

/** Something to be pushed; `read` takes a range whose both ends are counted in. */
export interface PushedContent extends Descriptor {
  read(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
}

/** What the registry says, in short: `{"errors": [{"code", "message"}]}` as a rule. */
export async function reasonOf(answer: Parameters<typeof text>[0] & { readonly statusCode?: number | undefined }) {
  const body = await text(answer).catch(() => "");
  const plain = body.replaceAll(/[^\x20-\x7e]/g, " ").slice(0, 300);
  return `${answer.statusCode}${plain === "" ? "" : ` ${plain}`}`;
}
