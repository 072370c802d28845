import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  symlink,
  writeFile,
} from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { UV_NOTES } from "../environment-tree.ts";

export interface AdoptRequest {
  /** what programs of others made */
  readonly from: string;
  /** does not exist yet */
  readonly to: string;
  /** scripts in `bin` name `from`; they shall name this */
  readonly prefixInFiles: string;
  /** false: bytecode is made anew later */
  readonly keepBytecode: boolean;
}

/**
 * Copies plain files, folders, and links that stay inside; devices, pipes, links out, owners and special modes stay behind. From
 * then on nothing of the result can be changed by the programs that made it.
 *
 * @returns paths of what was left out
 */
export async function adoptPrefix(request: AdoptRequest, signal: AbortSignal): Promise<readonly string[]> {
  const root = await realpath(request.from);
  const leftOut: string[] = [];

  async function adopt(path: string): Promise<void> {
    signal.throwIfAborted();
    const [from, to] = [join(root, path), join(request.to, path)];
    const found = await lstat(from);
    if (found.isDirectory()) {
      await mkdir(to);
      // Not left to our own mask: workers of other users read the tree.
      await chmod(to, 0o755);
      const names = (await readdir(from)).filter((name) => request.keepBytecode || name !== "__pycache__");
      await Promise.all(names.map((name) => adopt(join(path, name))));
    } else if (found.isSymbolicLink() && (await staysInside(from, root))) {
      await symlink(await readlink(from), to);
    } else if (found.isFile()) {
      if (UV_NOTES.test(from)) return;
      await adoptFile(path, from, to, found.size);
      await chmod(to, (found.mode & 0o100) === 0 ? 0o644 : 0o755);
    } else {
      leftOut.push(path);
    }
  }

  async function adoptFile(path: string, from: string, to: string, size: number): Promise<void> {
    if (path.startsWith("bin/") && size < MAX_SCRIPT_BYTES) {
      const content = await readFile(from);
      const isScript = content.subarray(0, 2).toString("latin1") === "#!";
      const text = isScript ? placedScript(content.toString("latin1")) : undefined;
      await writeFile(to, text === undefined ? content : Buffer.from(text, "latin1"), { flag: "wx" });
    } else if (RECORD.test(path)) {
      // Hashes of scripts, which named the folder that they were made in; the format allows to leave them out.
      const text = await readFile(from, "utf8");
      await writeFile(to, text.replace(/^((?:\.\.\/)+bin\/[^,\n]+),[^\n]*$/gm, "$1,,"), { flag: "wx" });
    } else {
      await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    }
  }

  /** Installers write another first line when the folder's path is too long for one; the place in images is not. */
  function placedScript(text: string): string {
    const placed = text.replaceAll(root, request.prefixInFiles);
    const python = /^#!\/bin\/sh\n'''exec' '?([^' ]+)'? "\$0" "\$@"\n' '''\n/.exec(placed);
    return python === null ? placed : `#!${python[1]}\n${placed.slice(python[0].length)}`;
  }

  await adopt("");
  return leftOut.sort();
}

const MAX_SCRIPT_BYTES = 1024 * 1024;
const RECORD = /^lib\/python[^/]+\/site-packages\/[^/]+\.dist-info\/RECORD$/;

/** Followed to its end: a link may lead out by way of another one. What leads nowhere is of no use. */
async function staysInside(link: string, root: string): Promise<boolean> {
  if (isAbsolute(await readlink(link))) return false;
  const end = await realpath(link).catch(() => undefined);
  return end?.startsWith(`${root}/`) ?? false;
}
