import { Type } from "typebox";
import { readFileIfThere, writeFileAtomically } from "../../platform/atomic-file.ts";
import type { EngineClient } from "../../platform/engine/engine-client.ts";
import { createKeyedLock } from "../../platform/keyed-lock.ts";
import { parseFile } from "../../platform/parse-file.ts";

/** References in the engine, the last used one first. */
const KeptImages = Type.Array(Type.String());

/** To go back to the version before, or to deploy again what was deleted, an image should not be loaded again. */
const UNUSED_IMAGES = 5;

/** Which images this installation has brought into the engine, so that the engine's disk does not fill up with them. */
export function keptImages(file: string) {
  const lock = createKeyedLock();
  const read = async () => parseFile(KeptImages, await readFileIfThere(file)) ?? [];
  const write = (references: readonly string[]) => writeFileAtomically(file, `${JSON.stringify(references)}\n`);

  return {
    /** The last used one first; perhaps not in the engine any more. */
    references: read,

    used(reference: string): Promise<void> {
      return lock(file, async () => {
        const references = await read();
        if (references[0] !== reference) await write([reference, ...references.filter((known) => known !== reference)]);
      });
    },

    /** Removes from the engine what was not used for the longest time; what a container uses stays. */
    tidy(engine: EngineClient): Promise<void> {
      return lock(file, async () => {
        const references = await read();
        const unused = references.slice(UNUSED_IMAGES);
        if (unused.length === 0) return;
        const still = [];
        for (const reference of unused) {
          await engine.removeImage(reference);
          if ((await engine.image(reference)) !== undefined) still.push(reference);
        }
        await write([...references.slice(0, UNUSED_IMAGES), ...still]);
      });
    },
  };
}
