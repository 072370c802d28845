import { readdir, readFile } from "node:fs/promises";
import { findPackageJSON } from "node:module";
import { dirname, extname, join } from "node:path";
import { Worker } from "node:worker_threads";

/** A file of the runtime: its bytes as they are at `from`, or a text. */
export type RuntimeFile =
  | { readonly path: string; readonly from: string; readonly executable?: boolean }
  | { readonly path: string; readonly text: string; readonly executable?: boolean };

interface Package {
  readonly name: string;
  readonly root: string;
  readonly dependencies: readonly string[];
  readonly manifest: string;
}

const OWN = "@slipway/";
const PROGRAM = /\.(js|mjs|cjs|json|wasm)$/;
const LICENSE = /^(licen[cs]e|notice|copying)(\.\w+)?$/i;
const NOT_RUN = /(^|\/)(testing|test)\/|\.test\.ts$|\.d\.ts$/;

/** The scorer with everything that it needs, as npm would install it, less what never runs. Sorted by path. */
export async function scorerFiles(): Promise<RuntimeFile[]> {
  const packages = await closure("@slipway/scoring");
  const files = await Promise.all(
    packages.map((one) => (one.name.startsWith(OWN) ? ownFiles(one) : foreignFiles(one))),
  );
  return files.flat().sort(byPath);
}

/**
 * ONNX Runtime for one architecture. Its package holds the libraries of all systems.
 *
 * @returns undefined when it is not installed: it is an optional dependency
 */
export async function onnxFiles(architecture: string): Promise<RuntimeFile[] | undefined> {
  const [scoring] = await closure("@slipway/scoring");
  const runtime = scoring && (await findPackage("onnxruntime-node", scoring.root));
  const common = runtime && (await findPackage("onnxruntime-common", runtime.root));
  if (runtime === undefined || common === undefined) return undefined;
  const libraries = `/linux/${architecture === "amd64" ? "x64" : architecture}/`;
  const files = await Promise.all([foreignFiles(common), foreignFiles(runtime, (path) => path.includes(libraries))]);
  return files.flat().sort(byPath);
}

async function closure(name: string): Promise<Package[]> {
  const found = new Map<string, Package>();
  async function add(wanted: string, from: string): Promise<void> {
    const one = await findPackage(wanted, from);
    if (one === undefined) throw new Error(`The package ${wanted} is not installed.`);
    const before = found.get(wanted);
    if (before !== undefined && before.root !== one.root) throw new Error(`${wanted} is installed in two versions.`);
    if (before !== undefined) return;
    found.set(wanted, one);
    for (const dependency of one.dependencies) await add(dependency, one.root);
  }
  await add(name, dirname(import.meta.filename));
  return [...found.values()];
}

async function findPackage(name: string, from: string): Promise<Package | undefined> {
  const manifest = find(name, from);
  if (manifest === undefined) return undefined;
  const text = await readFile(manifest, "utf8");
  const { dependencies } = Object(JSON.parse(text)) as { readonly dependencies?: Readonly<Record<string, string>> };
  return { name, root: dirname(manifest), dependencies: Object.keys(dependencies ?? {}).sort(), manifest: text };
}

function find(name: string, from: string): string | undefined {
  try {
    return findPackageJSON(name, join(from, "package.json"));
  } catch {
    return undefined;
  }
}

/** Built programs, or the sources where Slipway runs from them: without their types they are the same programs. */
async function ownFiles({ name, root, manifest }: Package): Promise<RuntimeFile[]> {
  const at = (path: string) => `node_modules/${name}/${path}`;
  const files: RuntimeFile[] = [{ path: at("package.json"), text: manifest }];
  if (name === "@slipway/python") {
    const modules = (await listFiles(join(root, "slipway_worker"))).filter((path) => path.endsWith(".py"));
    return [...files, ...modules.map((path) => fileAt(root, `slipway_worker/${path}`, at))];
  }
  if (!import.meta.url.endsWith(".ts")) {
    const programs = (await listFiles(join(root, "dist"))).filter((path) => path.endsWith(".js"));
    return [...files, ...programs.map((path) => fileAt(root, `dist/${path}`, at))];
  }
  const sources = (await listFiles(join(root, "src"))).filter((path) => path.endsWith(".ts") && !NOT_RUN.test(path));
  const texts = await withoutTypes(sources.map((path) => join(root, "src", path)));
  const programs = sources.map((path, index) => ({
    path: at(`dist/${path.replace(/\.ts$/, ".js")}`),
    text: texts[index] ?? "",
  }));
  return [...files, ...programs];
}

async function foreignFiles(
  { name, root }: Package,
  also: (path: string) => boolean = () => false,
): Promise<RuntimeFile[]> {
  return (await listFiles(root))
    .filter((path) => !path.startsWith("node_modules/"))
    .filter((path) => (path.startsWith("bin/") ? also(path) : PROGRAM.test(path) || LICENSE.test(path)))
    .map((path) => fileAt(root, path, (inPackage) => `node_modules/${name}/${inPackage}`));
}

const fileAt = (root: string, path: string, at: (path: string) => string): RuntimeFile => ({
  path: at(path),
  from: join(root, path),
});

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

function withoutTypes(files: readonly string[]): Promise<readonly string[]> {
  const program = new URL(`./strip-types.worker${extname(import.meta.url)}`, import.meta.url);
  const execArgv = [...process.execArgv, "--disable-warning=ExperimentalWarning"];
  const worker = new Worker(program, { workerData: files, execArgv });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`The thread that strips types ended with code ${code}.`)));
  });
}

function byPath(one: RuntimeFile, other: RuntimeFile): number {
  return one.path < other.path ? -1 : 1;
}
