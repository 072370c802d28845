import { createReadStream } from "node:fs";
import { imagePaths } from "@slipway/api";
import { mediaTypes } from "../../registry/index.ts";
import {
  endOfTar,
  layerInvalid,
  type PlainMember,
  padding,
  readLayerMembers,
  type TarMember,
  tarHeader,
} from "../../registry/remote/index.ts";

/** What a RUN step has changed, checked and ready to be written. */
export interface StepChanges {
  /** in the order in which they are written */
  readonly members: readonly (PlainMember & { readonly contentAt: number })[];
  /** for the build log: what a layer cannot hold */
  readonly leftOut: readonly string[];
  /** paths that the step must not touch, because they are Slipway's */
  readonly forbidden: readonly string[];
}

/** What the engine puts into each container; of that nothing belongs to the image. */
const OF_ENGINE =
  /^(?:\.dockerenv|run\/\.containerenv|etc\/(?:hosts|hostname|resolv\.conf)|(?:proc|sys|dev|run\/secrets)(?:\/.*)?)$/;
const OURS = [imagePaths.runtime, imagePaths.environment].map((path) => path.slice(1));
const WHITEOUT = /(^|\/)\.wh\.([^/]+)$/;

/**
 * Reads the layer that an engine has made of a step: members in a fixed order, no times, owners as they are. Whiteouts are members
 * like others (OCI image specification, "Whiteouts").
 *
 * @param file the layer as plain tar
 * @throws {AppError} LayerInvalid
 */
export async function readStepChanges(file: string, diffId: string, signal: AbortSignal): Promise<StepChanges> {
  const members = new Map<string, StepChanges["members"][number]>();
  const leftOut: string[] = [];
  const layer = { digest: diffId, diffId, mediaType: mediaTypes.layer };
  const add = (member: TarMember) => {
    const name = cleanName(member.name, diffId);
    const { kind, sizeBytes, contentAt } = member;
    if (name === "" || isOfEngine(name, member)) return;
    if (kind === "other") {
      leftOut.push(name);
      return;
    }
    const linkName = kind === "link" ? cleanName(member.linkName, diffId) : kind === "symlink" ? member.linkName : "";
    members.set(name, { name, kind, linkName, sizeBytes, contentAt, ...member.details() });
  };
  await readLayerMembers(layer, createReadStream(file), add, signal);
  const sorted = [...members.values()]
    .map((member) => ({ member, key: Buffer.from(member.name) }))
    .sort((one, other) => hardLinksLast(one.member, other.member) || Buffer.compare(one.key, other.key))
    .map(({ member }) => member);
  return { members: sorted, leftOut, forbidden: sorted.filter(isForbidden).map(({ name }) => name) };
}

/** The same changes give the same bytes. */
export async function* writeStepLayer(file: string, { members }: StepChanges): AsyncIterable<Uint8Array> {
  for (const { contentAt, ...member } of members) {
    yield tarHeader(member.kind === "directory" ? { ...member, name: `${member.name}/` } : member);
    if (member.sizeBytes === 0) continue;
    yield* createReadStream(file, { start: contentAt, end: contentAt + member.sizeBytes - 1 }) as AsyncIterable<Buffer>;
    yield padding(member.sizeBytes);
  }
  yield endOfTar;
}

/** What a link leads to must be there before it. */
function hardLinksLast(one: Pick<PlainMember, "kind">, other: Pick<PlainMember, "kind">): number {
  return Number(one.kind === "link") - Number(other.kind === "link");
}

function cleanName(name: string, digest: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) throw layerInvalid(digest, `${JSON.stringify(name)} is no path`);
  return parts.join("/");
}

function isOfEngine(name: string, { kind, linkName }: TarMember): boolean {
  if (OF_ENGINE.test(name.replace(WHITEOUT, "$1$2"))) return true;
  return name === "etc/mtab" && kind === "symlink" && linkName === "/proc/mounts";
}

/** In its folders, and on the way to them, Slipway's layers want to find what they expect. */
function isForbidden({ name, kind }: PlainMember): boolean {
  const path = name.replace(/(^|\/)\.wh\.\.wh\.\.opq$/, "").replace(WHITEOUT, "$1$2");
  const isWhiteout = path !== name;
  return OURS.some(
    (place) =>
      path === place ||
      path.startsWith(`${place}/`) ||
      (kind !== "directory" && !isWhiteout && place.startsWith(`${path}/`)),
  );
}
