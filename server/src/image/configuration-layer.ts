import { createHash } from "node:crypto";
import { readlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type ImageDescription, imagePaths } from "@slipway/api";
import { type Header, pack } from "tar-stream";
import type { BlobStore } from "../platform/blob-store/blob-store.ts";
import { errnoCode } from "../platform/errors.ts";
import { type Layer, mediaTypes, type Registry } from "../registry/index.ts";
import { type Image, type ImagePlan, modelFolder, type PlannedModel } from "./image.ts";

type Member = Partial<Header> & { readonly name: string; readonly content?: string };
export type ConfigurationMembers = readonly Member[];

/** What the scorer runs when nobody tells it: the driver, or every model that has an ONNX graph. */
export function imageDescription(image: Pick<Image, "name">, plan: ImagePlan): ImageDescription {
  const { name } = image;
  if (plan.runtime === "python") return { name, runtime: { kind: "python", entryScript: plan.driver ?? "" } };
  const models = plan.models.flatMap((model) => {
    const file = graphOf(model);
    return file === undefined
      ? []
      : [{ name: model.name, file: `${imagePaths.appRoot}/${modelFolder(model)}/${file}` }];
  });
  return { name, runtime: { kind: "onnx", models } };
}

/**
 * The layer above all others. In it the environment gets its interpreter, which is the base's: a virtual environment (PEP 405) says
 * where that lies by a link and by `home`.
 *
 * @param seesBase whether packages of the base are found, too, after those of the environment
 * @param python absolute path of the interpreter in the image; undefined if the environment has its own, or there is none
 */
export function configurationMembers(
  description: ImageDescription,
  python: string | undefined,
  { seesBase }: { readonly seesBase: boolean },
): ConfigurationMembers {
  const environment = imagePaths.environment.slice(1);
  const own: Member[] = [
    ...folders(imagePaths.runtime.slice(1)),
    { name: imagePaths.description.slice(1), content: `${JSON.stringify(description)}\n` },
  ];
  if (python === undefined) return own;
  const settings = `home = ${dirname(python)}\ninclude-system-site-packages = ${seesBase}\n`;
  return [
    ...folders(`${environment}/bin`),
    { name: imagePaths.python.slice(1), type: "symlink", linkname: python },
    { name: `${environment}/pyvenv.cfg`, content: settings },
    ...own.filter(({ name }) => name !== "opt/"),
  ];
}

export async function addConfigurationLayer(
  deps: { readonly blobs: BlobStore; readonly registry: Registry },
  members: ConfigurationMembers,
  signal: AbortSignal,
): Promise<Layer> {
  const tar = pack();
  for (const { content = "", ...header } of members) {
    const mode = header.type === "directory" ? 0o755 : header.type === "symlink" ? 0o777 : 0o644;
    tar.entry({ mode, mtime: new Date(0), ...header }, content);
  }
  tar.finalize();
  const bytes = await buffer(tar);
  const { digest, sizeBytes } = await deps.blobs.put(Readable.from([bytes]), { signal });
  return deps.registry.addStoredLayer({ digest, diffId: digest, mediaType: mediaTypes.layer, sizeBytes });
}

export const membersKey = (members: ConfigurationMembers) =>
  createHash("sha256").update(JSON.stringify(members)).digest("hex");

/** Whether the environment stands on an interpreter elsewhere: then its link leads out of it. */
export async function borrowsInterpreter(environmentRoot: string): Promise<boolean> {
  try {
    return (await readlink(join(environmentRoot, "bin", "python"))).startsWith("/");
  } catch (error) {
    if (errnoCode(error) === "EINVAL" || errnoCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** The folders on the way to a path, and it. */
function folders(path: string): Member[] {
  const parts = path.split("/");
  return parts.map((_, index) => ({ name: `${parts.slice(0, index + 1).join("/")}/`, type: "directory" }));
}

/** As the process target chooses it: the shortest name. */
function graphOf(model: PlannedModel): string | undefined {
  return model.files
    .map(({ path }) => path)
    .filter((path) => path.toLowerCase().endsWith(".onnx"))
    .sort((one, other) => one.length - other.length || (one < other ? -1 : 1))[0];
}
