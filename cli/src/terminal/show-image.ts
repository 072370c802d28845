import type { Image, ImageContents } from "@slipway/client";
import { colors } from "./colors.ts";
import { byteSize, printable, tagList } from "./format.ts";
import { layerPicture, shortDigest } from "./layer-picture.ts";
import { stateWord } from "./state-word.ts";
import { columns, facts } from "./table.ts";

const LARGEST = 8;

export function describeImage(image: Image): string {
  return facts([
    ["Image", image.id],
    ["State", stateWord(image.creationState)],
    ["Error", image.error === null ? undefined : `${printable(image.error.message)} (${image.error.code})`],
    ["Models", image.modelIds.join(" ")],
    ["Location", image.imageLocation === null ? undefined : printable(image.imageLocation)],
    ["Digest", image.imageDigest],
    ["Description", image.description === null ? undefined : printable(image.description)],
    ["Tags", printable(tagList(image.kvTags))],
    ["Properties", printable(tagList(ownProperties(image)))],
    ["Warnings", printable(image.properties["slipway.warnings"] ?? "")],
    ["Created", image.createdTime],
  ]);
}

/** Those that people set. What builds write is told in words. */
function ownProperties({ properties }: Image): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !name.startsWith("slipway.")));
}

export function describeContents(contents: ImageContents, image: Image): string {
  const { base, driver, environment, environmentVariables, proofs, python, runtime } = contents;
  const made = facts([
    ["Runs", runtime === "onnx" ? "ONNX model, without a script" : printable(driver ?? "")],
    ["For", `linux/${contents.architecture}${python === null ? "" : `, Python ${python}`}`],
    ["Base", base === null ? printable(image.properties["slipway.base"] ?? "none") : describeBase(base)],
    ["Packages", environment === null ? undefined : packages(environment.packages.length, image)],
    ["Variables", printable(tagList(environmentVariables))],
    ["Proofs", proofs.map((proof) => proof.type).join(", ")],
  ]);
  return [made, layerPicture(contents.layers), ...largestPackages(contents)].join("\n\n");
}

function describeBase({ reference, digest, distribution, packages }: NonNullable<ImageContents["base"]>): string {
  const system = [distribution ?? "", packages.length === 0 ? "" : `${packages.length} packages`];
  const known = system.filter((text) => text !== "").join(", ");
  return printable(`${reference} (${shortDigest(digest)})${known === "" ? "" : `: ${known}`}`);
}

function packages(count: number, { properties }: Image): string {
  if (count === 0) return "none";
  const from = properties["slipway.resolver"] === "conda" ? "conda channels" : "Python package indexes";
  return `${count} from ${from}`;
}

function largestPackages({ environment }: ImageContents): string[] {
  if (environment === null || environment.packages.length === 0) return [];
  const size = (item: { readonly sizeBytes: number | null }) => item.sizeBytes ?? 0;
  const sorted = [...environment.packages].sort((one, other) => size(other) - size(one));
  const [shown, rest] = [sorted.slice(0, LARGEST), sorted.slice(LARGEST)];
  const rows = shown.map((item) => [
    printable(item.name),
    printable(item.version),
    item.sizeBytes === null ? "" : byteSize(item.sizeBytes),
    printable(item.licenses.join(", ")),
  ]);
  const left = rest.reduce((sum, item) => sum + size(item), 0);
  const more = rest.length === 0 ? [] : [[colors.dim(`${rest.length} more`), "", byteSize(left)]];
  return [`${colors.dim("Largest packages")}\n${columns([...rows, ...more], { right: [2] })}`];
}
