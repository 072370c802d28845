import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { NODE_RELEASES, type NodeRelease } from "./node-release.ts";

/** What Slipway itself puts into an image. */
export interface RuntimeContents {
  /** null for an image without runtime layer: its target brings the programs */
  readonly node: NodeRelease | null;
  /** npm packages, sorted by name */
  readonly packages: readonly RuntimePackage[];
}

export interface RuntimePackage {
  /** `name` or `@scope/name` */
  readonly name: string;
  readonly version: string;
  /** SPDX expression; null if the package does not say */
  readonly license: string | null;
}

/** @param roots folders of the runtime layers; their files were installed with Slipway */
export async function readRuntimeContents(roots: readonly string[], architecture: string): Promise<RuntimeContents> {
  const packages = new Map<string, RuntimePackage>();
  let node: NodeRelease | null = null;
  for (const root of roots) {
    if (await exists(join(root, "bin", "node"))) node = NODE_RELEASES.get(architecture) ?? null;
    for (const folder of await packageFolders(join(root, "node_modules"))) {
      const found = await readPackage(join(folder, "package.json"));
      if (found !== undefined) packages.set(found.name, found);
    }
  }
  return { node, packages: [...packages.values()].sort((one, other) => (one.name < other.name ? -1 : 1)) };
}

async function packageFolders(modules: string): Promise<string[]> {
  if (!(await exists(modules))) return [];
  const names = await readdir(modules);
  const scopes = names.filter((name) => name.startsWith("@"));
  const scoped = await Promise.all(
    scopes.map(async (scope) => (await readdir(join(modules, scope))).map((name) => `${scope}/${name}`)),
  );
  return [...names.filter((name) => !name.startsWith("@")), ...scoped.flat()].map((name) => join(modules, name));
}

async function readPackage(manifest: string): Promise<RuntimePackage | undefined> {
  if (!(await exists(manifest))) return undefined;
  const { name, version, license } = Object(JSON.parse(await readFile(manifest, "utf8"))) as Record<string, unknown>;
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  return { name, version, license: typeof license === "string" ? license : null };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
