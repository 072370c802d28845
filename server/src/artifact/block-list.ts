import { XMLParser } from "fast-xml-parser";
import { isBlockId } from "./staged-blocks.ts";
import type { StagedBlock } from "./staging-area.ts";
import { blockListInvalid } from "./upload-errors.ts";

export const MAX_BLOCKS = 50_000;

// Entities stay text: nothing in a block list needs them, and expanding them is how small documents become huge.
const parser = new XMLParser({ preserveOrder: true, processEntities: false, parseTagValue: false, trimValues: true });

/** The ids of a `<BlockList>` in their order (wire contract 5.3). @throws {AppError} InvalidBlockList */
export function parseBlockList(xml: string): string[] {
  if (xml.includes("<!")) throw blockListInvalid("it has a document type, a comment or character data in it");
  const root = elements(parse(xml)).find((element) => element.name === "BlockList");
  if (root === undefined) throw blockListInvalid("there is no element BlockList");
  const blocks = elements(root.content);
  if (blocks.length > MAX_BLOCKS) throw blockListInvalid(`it names ${blocks.length} blocks, ${MAX_BLOCKS} are allowed`);
  return blocks.map(({ name, content }) => {
    if (name === "Committed") throw blockListInvalid("nothing of this artifact is committed yet");
    if (name !== "Latest" && name !== "Uncommitted") throw blockListInvalid(`it has an element ${name.slice(0, 50)}`);
    const id = textOf(content);
    if (!isBlockId(id)) throw blockListInvalid("a block id is not base64 of 1 to 64 bytes");
    return id;
  });
}

/** Answer to `GET ?comp=blocklist`. Base64 needs no escaping. */
export function formatBlockList(blocks: readonly StagedBlock[]): string {
  const items = blocks.map(({ id, sizeBytes }) => `<Block><Name>${id}</Name><Size>${sizeBytes}</Size></Block>`);
  return `<?xml version="1.0" encoding="utf-8"?><BlockList><CommittedBlocks /><UncommittedBlocks>${items.join("")}</UncommittedBlocks></BlockList>`;
}

function parse(xml: string): unknown {
  try {
    return parser.parse(xml, true);
  } catch (error) {
    throw blockListInvalid(`it is not XML (${error instanceof Error ? error.message : error})`);
  }
}

/** The parser gives `[{ Latest: [{ "#text": "…" }] }, …]`. */
function elements(content: unknown): { readonly name: string; readonly content: unknown }[] {
  if (!Array.isArray(content)) return [];
  return content.flatMap((item: object) =>
    Object.entries(item)
      .filter(([name]) => name !== ":@" && name !== "#text")
      .map(([name, inner]) => ({ name, content: inner as unknown })),
  );
}

function textOf(content: unknown): unknown {
  const [first] = Array.isArray(content) ? (content as unknown[]) : [];
  return (first as { "#text"?: unknown } | undefined)?.["#text"];
}
