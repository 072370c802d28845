import type { ImageContents } from "./image-contents.ts";

/** How a second image differs from a first one. What is the same is not in it. */
export interface ImageComparison {
  readonly from: ComparedImage;
  readonly to: ComparedImage;
  /** bytes of layers that both have: a machine with one of the images pulls them no more */
  readonly sharedBytes: number;
  readonly packages: readonly Change[];
  /** of the operating system in the base */
  readonly basePackages: readonly Change[];
  readonly models: readonly Change[];
  /** of the user's files; the values are digests */
  readonly code: readonly Change[];
  readonly environmentVariables: readonly Change[];
  /** base, Python, architecture, driver, runtime, user, ports, labels, the layers with Slipway's own programs */
  readonly settings: readonly Change[];
}

export interface ComparedImage {
  readonly imageId: string;
  readonly digest: string;
  /** of all layers, as they are pulled */
  readonly sizeBytes: number;
}

export interface Change {
  readonly name: string;
  /** null: only the second image has it */
  readonly from: string | null;
  /** null: only the first image has it */
  readonly to: string | null;
}

export function compareImages(from: ImageContents, to: ImageContents): ImageComparison {
  const here = new Set(to.layers.map((layer) => layer.digest));
  const shared = new Map(
    from.layers.filter((layer) => here.has(layer.digest)).map(({ digest, sizeBytes }) => [digest, sizeBytes]),
  );
  return {
    from: compared(from),
    to: compared(to),
    sharedBytes: [...shared.values()].reduce((sum, size) => sum + size, 0),
    packages: changes(from, to, ({ environment }) => environment?.packages.map(({ name, version }) => [name, version])),
    basePackages: changes(from, to, ({ base }) => base?.contents.packages.map(({ name, version }) => [name, version])),
    models: changes(from, to, ({ models }) => models.map(({ name, version }) => [name, String(version)])),
    code: changes(from, to, ({ code }) => code.map(({ path, digest }) => [path, digest])),
    environmentVariables: changes(from, to, variablesOf),
    settings: changes(from, to, settingsOf),
  };
}

function compared({ imageId, digest, layers }: ImageContents): ComparedImage {
  return { imageId, digest, sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0) };
}

/** All that are set in it, but the one that only says again which models there are. */
function variablesOf({ configuration }: ImageContents): [string, string][] {
  return Object.entries(configuration.variables).filter(([name]) => name !== "AZUREML_MODEL_DIR");
}

function settingsOf(contents: ImageContents): [string, string][] {
  const { base, python, architecture, driver, runtime, layers } = contents;
  const programs = layers.filter((layer) => layer.kind === "runtime").map((layer) => layer.digest.slice(0, 19));
  const settings: Record<string, string | null> = {
    base: base && `${base.reference}@${base.digest}`,
    ...{ python, architecture, driver, runtime },
    ...contents.configuration.settings,
    "programs of Slipway": programs.length === 0 ? null : programs.join(" "),
  };
  return Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== null);
}

/** Sorted by name. A name that comes twice (two versions of a model) is compared by all its values. */
function changes(
  from: ImageContents,
  to: ImageContents,
  values: (contents: ImageContents) => Iterable<readonly [name: string, value: string]> | undefined,
): Change[] {
  const [before, after] = [grouped(values(from) ?? []), grouped(values(to) ?? [])];
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .map((name) => ({ name, from: before.get(name) ?? null, to: after.get(name) ?? null }))
    .filter((change) => change.from !== change.to);
}

function grouped(values: Iterable<readonly [name: string, value: string]>): Map<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of values) {
    const first = all.get(name);
    all.set(name, first === undefined ? value : `${first}, ${value}`);
  }
  return all;
}
