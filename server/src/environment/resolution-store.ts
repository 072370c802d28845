import { join } from "node:path";
import { readFileIfThere, writeFileAtomically } from "../platform/atomic-file.ts";
import type { CondaPackage } from "./conda/conda-lock.ts";

/** What a request was resolved to; kept, so that the same request gives the same packages tomorrow. */
export interface Resolution {
  readonly lock: string;
  /** options of the request for the installation, without what nobody answers at */
  readonly options: readonly string[];
  readonly unreachable: readonly string[];
  /** azureml-core was not asked for, but is imported */
  readonly azuremlAdded: boolean;
  /** packages from conda channels, sorted by name; not there when all come from Python package indexes */
  readonly conda?: readonly CondaPackage[];
}

export interface ResolutionStore {
  find(key: string): Promise<Resolution | undefined>;
  keep(key: string, resolution: Resolution): Promise<void>;
}

export function createResolutionStore(folder: string): ResolutionStore {
  const file = (key: string) => join(folder, `${key}.json`);
  return {
    async find(key) {
      const text = await readFileIfThere(file(key));
      return text === undefined ? undefined : (JSON.parse(text) as Resolution);
    },
    async keep(key, resolution) {
      await writeFileAtomically(file(key), `${JSON.stringify(resolution)}\n`);
    },
  };
}
