import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { FileSource, Image, Model, NewImage } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import { archiveOf } from "../files/archive.ts";
import { fileOnDisk, filesAt } from "../files/file-on-disk.ts";
import type { Session } from "../session.ts";
import { checkImageName } from "./check-names.ts";
import { findModel, prepareModel } from "./register-model.ts";
import { waitFor } from "./wait-for.ts";

/** What people say on the command line; paths are from the working folder. */
export interface ImageToBuild {
  readonly name: string;
  /** each a path, `NAME=PATH`, `NAME:VERSION` or `NAME` */
  readonly models: readonly string[];
  readonly script?: string | undefined;
  readonly conda?: string | undefined;
  readonly dependency?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly architecture?: string | undefined;
  readonly baseImage?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** for models that are registered on the way: JSON, or `@FILE` */
  readonly sampleInput?: string | undefined;
}

type Building = Pick<Session, "client" | "progress" | "signal">;

/** Registers what is a file and new, uploads what changed, builds, and waits. @throws {SlipwayError} with the cause, if the build fails */
export async function buildImage(session: Building, image: ImageToBuild): Promise<Image> {
  return (await prepareImage(session, image))();
}

/** Reads and checks all that the command line names; the function that it gives registers and builds. */
export async function prepareImage(session: Building, image: ImageToBuild): Promise<() => Promise<Image>> {
  checkImageName(image.name);
  const [script, condaFile, dependencies] = await Promise.all([
    image.script === undefined ? undefined : fileOnDisk(image.script),
    image.conda === undefined ? undefined : fileOnDisk(image.conda),
    readDependencies(image.dependency ?? []),
  ]);
  const models: (() => Promise<Model>)[] = [];
  for (const text of image.models) models.push(await prepareNamedModel(session, text, image.sampleInput));
  return async () => {
    const modelIds: string[] = [];
    for (const model of models) modelIds.push((await model()).id);
    return build(session, image, { models: modelIds, script, condaFile, ...dependencies });
  };
}

async function build(
  { client, progress, signal }: Building,
  image: ImageToBuild,
  content: Pick<NewImage, "models" | "script" | "condaFile" | "dependencies" | "archives">,
): Promise<Image> {
  const { description, tags, name, architecture, baseImage } = image;
  const imageId = await progress.step(`Build image ${name}`, async (step) => {
    const started = await client.images.create(
      { ...content, name, description, tags, architecture, baseImage },
      { signal },
    );
    await waitFor({ client, signal }, started.operationId, step);
    return started.imageId;
  });
  return client.images.get(imageId, { signal });
}

/** `NAME:VERSION`, or `NAME` for the newest. @throws {CliError|SlipwayError} ImageNotFound */
export async function findImage(session: Pick<Session, "client" | "signal">, text: string): Promise<Image> {
  const { client, signal } = session;
  if (text.includes(":")) return client.images.get(text, { signal });
  const image = await client.images.latest(text, signal);
  if (image !== undefined) return image;
  throw new CliError(
    "ImageNotFound",
    "refused",
    `There is no image named ${text} in this workspace. \`slipway image list\` shows all.`,
  );
}

/** A path that exists wins over a registered name: what lies here is what people see. */
async function prepareNamedModel(
  session: Building,
  text: string,
  sampleInput: string | undefined,
): Promise<() => Promise<Model>> {
  if (await exists(text)) return prepareModel(session, { path: text, sampleInput });
  const at = text.indexOf("=");
  if (at > 0) return prepareModel(session, { name: text.slice(0, at), path: text.slice(at + 1), sampleInput });
  const model = await findModel(session, text, { orFile: true });
  return async () => model;
}

/** Single files go beside the script as they are; folders are packed, with their own name in front. */
async function readDependencies(paths: readonly string[]) {
  const dependencies: FileSource[] = [];
  const packed: FileSource[] = [];
  for (const path of paths) {
    const files = await filesAt(path);
    if ((await stat(path)).isDirectory()) packed.push(...files);
    else dependencies.push(...files);
  }
  const names = [...dependencies, ...packed].map((file) => file.path);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new CliError("DependencyTwice", "usage", `Two dependencies are named ${basename(twice)}.`);
  return { dependencies, archives: packed.length === 0 ? [] : [await archiveOf("dependencies.tar.gz", packed)] };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
