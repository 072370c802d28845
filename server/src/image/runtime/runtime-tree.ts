import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, chmod, copyFile, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoCode } from "../../platform/errors.ts";
import { newShortId } from "../../platform/ids.ts";
import { onnxRuntimeNotInstalled } from "../image-errors.ts";
import { type NodeSource, provideNode } from "./node-binary.ts";
import { NODE_RELEASES } from "./node-release.ts";
import { onnxFiles, type RuntimeFile, scorerFiles } from "./runtime-files.ts";
import { START_SCRIPT } from "./start-script.ts";

/** A folder whose content lies at `/opt/slipway` in images. The same key means the same bytes. */
export interface RuntimeTree {
  readonly key: string;
  readonly root: string;
}

export interface RuntimeTrees {
  /** Node, the scorer and the worker. @throws {AppError} NodeNotAvailable */
  scorer(architecture: string, context: RunContext): Promise<RuntimeTree>;
  /** ONNX Runtime. @throws {AppError} OnnxRuntimeNotInstalled */
  onnx(architecture: string, context: RunContext): Promise<RuntimeTree>;
}

interface RunContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

/** So large that it is linked where that is possible. */
const NODE = "bin/node";

/**
 * The programs that images bring along, by their content: `FOLDER/<key>`. Copies, since an update of Slipway replaces its own
 * files while images that were built before are still pulled.
 */
export function createRuntimeTrees(options: NodeSource & { readonly folder: string }): RuntimeTrees {
  const { folder } = options;
  /** This process runs one version of Slipway, so nothing changes while it lives. */
  const made = new Map<string, Promise<RuntimeTree>>();

  function once(name: string, make: () => Promise<RuntimeTree>): Promise<RuntimeTree> {
    const known = made.get(name);
    if (known !== undefined) return known;
    const making = make();
    made.set(name, making);
    making.catch(() => made.delete(name));
    return making;
  }

  return {
    scorer: (architecture, context) =>
      once(`scorer ${architecture}`, async () => {
        const release = NODE_RELEASES.get(architecture);
        if (release === undefined) throw new Error(`There is no Node for ${architecture}.`);
        const node = await provideNode(release, options, context);
        return makeTree(folder, `${release.packageName} ${release.version}`, [
          { path: NODE, from: node, executable: true },
          { path: "bin/scorer", text: START_SCRIPT, executable: true },
          ...(await scorerFiles()),
        ]);
      }),

    onnx: (architecture) =>
      once(`onnx ${architecture}`, async () => {
        const files = await onnxFiles(architecture);
        if (files === undefined) throw onnxRuntimeNotInstalled();
        return makeTree(folder, "", files);
      }),
  };
}

/** `node` names the program at {@link NODE}, which is too large to be read for its key. */
async function makeTree(folder: string, node: string, files: readonly RuntimeFile[]): Promise<RuntimeTree> {
  const hash = createHash("sha256").update(node);
  for (const file of files) {
    const content = "text" in file ? file.text : file.path === NODE ? "" : await readFile(file.from);
    const digest = createHash("sha256").update(content).digest("hex");
    hash.update(JSON.stringify([file.path, file.executable === true, digest]));
  }
  const key = hash.digest("hex");
  const root = join(folder, key);
  if (await exists(root)) return { key, root };
  const staging = join(folder, `${key}.${newShortId()}.incomplete`);
  try {
    for (const file of files) await place(file, join(staging, file.path));
    await rename(staging, root);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    // Another build was faster.
    if (errnoCode(error) !== "ENOTEMPTY" && errnoCode(error) !== "EEXIST") throw error;
  }
  return { key, root };
}

async function place(file: RuntimeFile, destination: string): Promise<void> {
  await mkdir(dirname(destination), { recursive: true });
  if (file.path === NODE && "from" in file) return linkOrCopy(file.from, destination);
  if ("text" in file) await writeFile(destination, file.text);
  else await copyFile(file.from, destination);
  if (file.executable === true) await chmod(destination, 0o755);
}

/** Package managers put new files in the place of old ones and never write into them, so a link keeps what it had. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
