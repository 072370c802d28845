import type { ImageChange, ImageComparison } from "@slipway/client";
import type { CodePatch } from "../files/code-patches.ts";
import { colors } from "./colors.ts";
import { byteSize, printable } from "./format.ts";
import { columns } from "./table.ts";

/** What differs, in the order in which people ask; digests of files are left out, since they say nothing to them. */
export function describeComparison(comparison: ImageComparison): string {
  const { from, to, sharedBytes } = comparison;
  if (from.digest === to.digest) return `${from.imageId} and ${to.imageId} are the same image, byte by byte.`;
  const sizes = `${byteSize(from.sizeBytes)} → ${byteSize(to.sizeBytes)}, ${byteSize(sharedBytes)} in layers of both`;
  const parts = [
    section("Settings", comparison.settings),
    section("Packages", comparison.packages),
    section("Packages of the base", comparison.basePackages),
    section("Models", comparison.models),
    section("Code", comparison.code, () => ""),
    section("Variables", comparison.environmentVariables),
  ].filter((part) => part !== "");
  const same = "Packages, models, code and settings are the same.";
  return [`${from.imageId} → ${to.imageId}: ${sizes}`, ...(parts.length === 0 ? [same] : parts)].join("\n\n");
}

function section(heading: string, changes: readonly ImageChange[], describe = versions): string {
  if (changes.length === 0) return "";
  const rows = changes.map((change) => [`${sign(change)} ${printable(change.name)}`, printable(describe(change))]);
  return `${colors.dim(heading)}\n${columns(rows)}`;
}

function sign({ from, to }: ImageChange): string {
  if (from === null) return colors.green("+");
  return to === null ? colors.red("-") : colors.yellow("~");
}

function versions({ from, to }: ImageChange): string {
  if (from === null || to === null) return to ?? from ?? "";
  return `${from} → ${to}`;
}

/** Patches as `git diff` shows them. */
export function describePatches(patches: readonly CodePatch[]): string[] {
  return patches.map(({ path, patch }) =>
    patch === null ? `${printable(path)}: large or binary, not shown.` : coloredPatch(patch),
  );
}

function coloredPatch(patch: string): string {
  return printable(patch.trimEnd())
    .split("\n")
    .map((line) => {
      if (line.startsWith("+")) return colors.green(line);
      if (line.startsWith("-")) return colors.red(line);
      return line.startsWith("@@") ? colors.cyan(line) : line;
    })
    .join("\n");
}
