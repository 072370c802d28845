import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Kysely } from "kysely";
import { codeFiles } from "../app-folder.ts";
import type { BuiltImage, Image, ProofType } from "../image.ts";
import { codeFileNotFound, imageNotBuilt, imageNotFound, proofNotFound } from "../image-errors.ts";
import { createImageStore } from "../image-store.ts";
import type { ImageTables } from "../image-tables.ts";
import { compareImages, type ImageComparison } from "./compare-images.ts";
import { type ContentsDependencies, contentsOf, type ImageContents } from "./image-contents.ts";

export interface ImageInspectorDependencies<Tables extends ImageTables> extends ContentsDependencies {
  readonly database: Kysely<Tables>;
}

/** Looks into built images. Nothing here changes one. */
export type ImageInspector = ReturnType<typeof createImageInspector>;

/** A folder of code that somebody removed is laid out again; that must not take for ever. */
const LAY_OUT_MS = 10 * 60_000;

export function createImageInspector<Tables extends ImageTables>(deps: ImageInspectorDependencies<Tables>) {
  const store = createImageStore(deps.database);

  async function find(workspaceId: string, id: string): Promise<Image> {
    const image = await store.find(workspaceId, id);
    if (image === undefined) throw imageNotFound(id);
    return image;
  }

  async function findBuilt(
    workspaceId: string,
    id: string,
  ): Promise<{ readonly image: Image; readonly built: BuiltImage; readonly digest: string }> {
    const image = await find(workspaceId, id);
    const built = await store.findBuilt(workspaceId, id);
    if (image.digest === null || built === undefined) throw imageNotBuilt(id, image.state);
    return { image, built, digest: image.digest };
  }

  async function contents(workspaceId: string, id: string): Promise<ImageContents> {
    const { image, built, digest } = await findBuilt(workspaceId, id);
    return contentsOf(deps, image, built, digest, AbortSignal.timeout(LAY_OUT_MS));
  }

  return {
    /** @throws {AppError} ImageNotFound, ImageNotBuilt */
    contents,

    /**
     * How the second image differs from the first.
     *
     * @throws {AppError} ImageNotFound, ImageNotBuilt
     */
    async compare(workspaceId: string, from: string, to: string): Promise<ImageComparison> {
      return compareImages(await contents(workspaceId, from), await contents(workspaceId, to));
    },

    /**
     * One of the user's files.
     *
     * @param path as the contents have it
     * @throws {AppError} ImageNotFound, ImageNotBuilt, CodeFileNotFound
     */
    async codeFile(workspaceId: string, id: string, path: string): Promise<Readable> {
      const { plan } = (await findBuilt(workspaceId, id)).built;
      if (plan.runtime !== "python") throw codeFileNotFound(id, path);
      const { root } = await deps.folders.layOut(plan, AbortSignal.timeout(LAY_OUT_MS));
      if (!(await codeFiles(root)).includes(path)) throw codeFileNotFound(id, path);
      return createReadStream(join(root, path));
    },

    /** @throws {AppError} ImageNotFound, ImageNotBuilt, ProofNotFound */
    async proof(workspaceId: string, id: string, type: ProofType) {
      const { image, built } = await findBuilt(workspaceId, id);
      const proof = built.proofs?.find((one) => one.type === type);
      if (proof === undefined) throw proofNotFound(id, type);
      return deps.proofs.read(image, proof);
    },
  };
}
