import { access, chmod, mkdir, open, readdir, readlink, realpath, rename, symlink } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import { errnoCode } from "../platform/errors.ts";
import { newShortId } from "../platform/ids.ts";
import { type Refuse, type TarMember, tarMembers } from "../platform/tar-members.ts";
import { venvSettings } from "./conda/pip-python.ts";
import { publishTree } from "./environment-tree.ts";
import { choosePython } from "./python-choice.ts";
import { findInterpreters } from "./python-discovery.ts";
import { createSharedWork } from "./shared-work.ts";
import type { RunContext } from "./uv.ts";
import { createWorkFolders } from "./work-folders.ts";

/** The environment of an image that was built elsewhere, as its layer. */
export interface EnvironmentLayer {
  /** SHA-256 of the layer, in hex: the same layer is laid out once */
  readonly id: string;
  /** where the tree lies in the layer: `opt/env` */
  readonly at: string;
  /** plain tar, checked by its digest */
  read(): AsyncIterable<Uint8Array>;
  refuse: Refuse;
}

export interface ImportedEnvironment {
  /** absolute path of the tree */
  readonly root: string;
  /** X.Y; undefined if there is no Python in it */
  readonly pythonMinor: string | undefined;
  /** false: it needs a Python that is not installed here, so it serves in containers only */
  readonly runs: boolean;
}

export type ImportedEnvironments = ReturnType<typeof createImportedEnvironments>;

/** Environments that come as layers of images instead of being resolved and installed here: the same bytes as in the image. */
export function createImportedEnvironments(options: {
  /** the same as the environment service's */
  readonly folder: string;
  /** where interpreters are looked for */
  readonly env: Readonly<Record<string, string | undefined>>;
}) {
  const trees = join(options.folder, "imported");
  const workFolders = createWorkFolders(join(options.folder, "work"));
  const share = createSharedWork<ImportedEnvironment>();

  async function lay(layer: EnvironmentLayer, destination: string, signal: AbortSignal) {
    await workFolders.use(async (workFolder) => {
      const tree = join(workFolder, "tree");
      await unpack(tree, layer, signal);
      const pythonVersion = (await minorIn(tree)) ?? "";
      await publishTree(tree, { id: layer.id, pythonVersion, platform: "", lock: "" }, destination, signal);
    });
  }

  /** An environment of packages only borrows its interpreter: in the image from the base, here from this machine. */
  async function borrow(root: string, minor: string | undefined, signal: AbortSignal): Promise<boolean> {
    const python = join(root, "bin", "python");
    if (await exists(python)) return true;
    const found = await findInterpreters(options.env, signal);
    const wish = { text: `python ${minor}`, clauses: [{ operator: "==" as const, version: minor ?? "" }] };
    const choice = minor === undefined ? undefined : choosePython(found, wish);
    if (choice?.exact !== true) return false;
    await mkdir(dirname(python), { recursive: true, mode: 0o755 });
    await writeFileAtomically(join(root, "pyvenv.cfg"), venvSettings(choice.interpreter), 0o644);
    const beside = `${python}.${newShortId()}`;
    await symlink(choice.interpreter.path, beside);
    await rename(beside, python);
    return true;
  }

  return {
    /** What is to be said of a tree that is laid out. */
    async look(root: string): Promise<ImportedEnvironment> {
      return { root, pythonMinor: await minorIn(root), runs: await exists(join(root, "bin", "python")) };
    },

    /** Lays the environment out, unless it is there. What somebody removed is made again. */
    ensure(layer: EnvironmentLayer, run: RunContext): Promise<ImportedEnvironment> {
      return share(layer.id, run, async ({ signal }) => {
        const root = join(trees, layer.id);
        // It comes with the whole tree.
        if (!(await exists(join(root, "environment.json")))) await lay(layer, root, signal);
        const pythonMinor = await minorIn(root);
        return { root, pythonMinor, runs: await borrow(root, pythonMinor, signal) };
      });
    },
  };
}

/** What an installation writes itself and goes by; a layer has neither. */
const OWN_FILES = ["pyvenv.cfg", "environment.json"];

async function unpack(tree: string, { at, read, refuse }: EnvironmentLayer, signal: AbortSignal): Promise<void> {
  await makeFolder(tree);
  const links = new Set<string>();
  for await (const member of tarMembers(read(), refuse, signal)) {
    if (member.path === at || at.startsWith(`${member.path}/`)) continue;
    if (!member.path.startsWith(`${at}/`)) throw refuse(member.path, `lies outside of ${at}`);
    const path = member.path.slice(at.length + 1);
    if (OWN_FILES.includes(path)) throw refuse(member.path, "is not for an image to have");
    // Nothing is written through a link.
    if (ancestors(path).some((folder) => links.has(folder))) throw refuse(member.path, "lies behind a link");
    await place(member, join(tree, path), refuse);
    if (member.kind === "link") links.add(path);
  }
  for (const link of links) {
    if (!(await staysInside(tree, link))) throw refuse(link, "is a link that leads out");
  }
}

async function place(member: TarMember, destination: string, refuse: Refuse): Promise<void> {
  const { path } = member;
  const conflict = (error: unknown): never => {
    const code = errnoCode(error);
    throw code === "EEXIST" || code === "ENOTDIR" || code === "ENOENT"
      ? refuse(path, "is in the way of another")
      : error;
  };
  switch (member.kind) {
    case "directory":
      return makeFolder(destination).catch(conflict);
    case "link":
      if (member.target.startsWith("/")) throw refuse(path, "is a link that leads out");
      return symlink(member.target, destination).catch(conflict);
    case "file": {
      const handle = await open(destination, "wx", 0o644).catch(conflict);
      try {
        for await (const chunk of member.bytes) await handle.writeFile(chunk);
        // Not left to our own mask: workers of other users read the tree.
        await handle.chmod(member.executable ? 0o755 : 0o644);
      } finally {
        await handle.close();
      }
      return;
    }
    default:
      return member satisfies never;
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder);
  await chmod(folder, 0o755);
}

function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** Followed to its end, by way of other links. One that leads nowhere (yet) must not name a place outside. */
async function staysInside(tree: string, link: string): Promise<boolean> {
  const root = await realpath(tree);
  const end = await realpath(join(tree, link)).catch(() => undefined);
  if (end !== undefined) return end === root || end.startsWith(`${root}/`);
  return !normalize(join(dirname(link), await readlink(join(tree, link)))).startsWith("..");
}

/** `lib/python3.11` says which Python the packages are for. */
async function minorIn(tree: string): Promise<string | undefined> {
  const names = await readdir(join(tree, "lib")).catch(() => []);
  return names.flatMap((name) => /^python(3\.\d+)$/.exec(name)?.[1] ?? []).sort()[0];
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
