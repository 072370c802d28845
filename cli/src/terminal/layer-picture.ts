import type { ImageLayer } from "@slipway/client";
import { colors } from "./colors.ts";
import { byteSize, printable } from "./format.ts";
import { columns } from "./table.ts";

const BAR_WIDTH = 24;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** A stack of layers as it is mounted: the lowest one at the bottom, each with a bar as long as it is large. */
export function layerPicture(layers: readonly ImageLayer[]): string {
  const largest = Math.max(1, ...layers.map((layer) => layer.sizeBytes));
  const total = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  const rows = [...layers]
    .reverse()
    .map((layer) => [
      layer.kind,
      inColorOf(layer.kind, bar(layer.sizeBytes / largest)),
      byteSize(layer.sizeBytes),
      shortDigest(layer.digest),
      shared(layer.sharedWith),
      printable(title(layer)),
    ]);
  return columns([...rows, ["", "", byteSize(total)]], { right: [2] });
}

/** Block characters, to an eighth of a column. What is there at all is seen. */
function bar(share: number): string {
  const eighths = Math.max(1, Math.round(share * BAR_WIDTH * 8));
  return `${"█".repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8] ?? ""}`;
}

function inColorOf(kind: string, text: string): string {
  switch (kind) {
    case "code":
      return colors.green(text);
    case "model":
      return colors.magenta(text);
    case "environment":
      return colors.blue(text);
    case "runtime":
      return colors.cyan(text);
    default:
      return colors.dim(text);
  }
}

export const shortDigest = (digest: string) => digest.replace("sha256:", "").slice(0, 12);

function shared(others: number): string {
  if (others === 0) return "only here";
  return others === 1 ? "in 1 other image" : `in ${others} other images`;
}

/** `model digits:1` is `digits:1` beside the word `model`. */
function title({ kind, title }: ImageLayer): string {
  if (title === kind) return "";
  return title.startsWith(`${kind} `) ? title.slice(kind.length + 1) : title;
}
