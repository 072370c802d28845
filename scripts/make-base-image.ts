// `npm run base-image`: a slim base image (Debian, Python) from the packages of this machine's Debian mirror, for machines that reach
// no registry of images. It is pushed to the built-in registry of a running server as `base:python3.X`, where every build finds it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRemoteRegistries, imageName, parseImageReference } from "../server/src/registry/remote/index.ts";
import { type Apt, openApt } from "./base-image/debian-packages.ts";
import { addImage, addIndex, addLayer, pushLayout } from "./base-image/oci-layout.ts";
import { compilePython, makeRoot, USER_ID } from "./base-image/root-folder.ts";
import { builtInRegistry } from "./base-image/server-registry.ts";

const USAGE = `Makes a slim base image from Debian packages and pushes it to a registry.

  npm run base-image                              to the server of ~/.slipway, for this machine's processor
  npm run base-image -- --architecture amd64,arm64
  npm run base-image -- --data DIR                to the server with this data folder
  npm run base-image -- --to HOST/NAME:TAG        to another registry (user name and password in
                                                  SLIPWAY_REGISTRY_USERNAME and SLIPWAY_REGISTRY_PASSWORD)
  npm run base-image -- --layout                  only make it, and print the folder (an OCI image layout)
`;
const { values } = parseArgs({
  options: {
    architecture: { type: "string", default: process.arch === "x64" ? "amd64" : process.arch },
    data: { type: "string", default: process.env.SLIPWAY_DATA ?? join(homedir(), ".slipway") },
    to: { type: "string" },
    layout: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else await main();

async function main(): Promise<void> {
  const startedAt = performance.now();
  const cache = process.env.SLIPWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "slipway");
  const own = process.arch === "x64" ? "amd64" : process.arch;
  const apts = values.architecture
    .split(",")
    .map((architecture) => openApt(join(cache, "base-image/apt"), architecture));
  const [first] = apts;
  if (first === undefined) throw new Error("No architecture was named.");
  const layout = join(cache, "base-image", keyOf(apts));
  if (!existsSync(join(layout, "index.json"))) await make(layout, apts, own, join(cache, "base-image/apt"));
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `Base image with Python ${first.pythonMinor} for ${values.architecture}: ${megabytes(layout)} MB (${seconds()} s).`,
  );
  if (values.layout) {
    console.log(layout);
    return;
  }
  const { reference, credentials, ca } = await destination(`python${first.pythonMinor}`);
  const remote = createRemoteRegistries({ clock: { now: () => new Date() }, env: process.env, ca });
  const { digest } = await pushLayout(layout, remote.push(reference, credentials), AbortSignal.timeout(600_000));
  remote.close();
  console.log(`Pushed ${imageName(reference)} (${digest}) (${seconds()} s).`);
}

/** The same packages and the same recipe give the same image. */
function keyOf(apts: readonly Apt[]): string {
  const hash = createHash("sha256");
  const recipes = new URL("base-image/", import.meta.url);
  for (const file of readdirSync(recipes).sort()) hash.update(readFileSync(new URL(file, recipes)));
  for (const { architecture, addresses } of apts) hash.update(JSON.stringify([architecture, addresses]));
  return hash.digest("hex").slice(0, 32);
}

async function make(layout: string, apts: readonly Apt[], own: string, aptFolder: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "slipway-base-image-"));
  try {
    const roots = new Map<string, string>();
    const rootOf = (apt: Apt) => {
      const known = roots.get(apt.architecture);
      if (known !== undefined) return known;
      const root = join(work, apt.architecture);
      console.log(`Packages for ${apt.architecture}: ${apt.addresses.length}.`);
      makeRoot(root, apt.download(), apt.pythonMinor);
      roots.set(apt.architecture, root);
      return root;
    };
    // Bytecode is the same on every processor, and only this machine's own interpreter runs here.
    const native = apts.find(({ architecture }) => architecture === own) ?? openApt(aptFolder, own);
    const building = join(work, "layout");
    const manifests = [];
    for (const apt of apts) {
      const root = rootOf(apt);
      compilePython(root, rootOf(native), apt.pythonMinor);
      const platform = {
        os: "linux",
        architecture: apt.architecture,
        ...(apt.architecture === "arm64" && { variant: "v8" }),
      };
      const settings = { title: `Debian with Python ${apt.pythonMinor}`, user: String(USER_ID) };
      manifests.push(addImage(building, platform, await addLayer(building, root), settings));
    }
    addIndex(building, manifests);
    mkdirSync(join(layout, ".."), { recursive: true });
    rmSync(layout, { recursive: true, force: true });
    renameSync(building, layout);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function destination(tag: string) {
  if (values.to === undefined) return builtInRegistry(values.data, "base", tag);
  const { SLIPWAY_REGISTRY_USERNAME: username, SLIPWAY_REGISTRY_PASSWORD: password } = process.env;
  const credentials = username === undefined || password === undefined ? undefined : { username, password };
  return { reference: parseImageReference(values.to), credentials, ca: [] };
}

function megabytes(layout: string): string {
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as { manifests: { digest: string }[] };
  const sizes = index.manifests.map(({ digest }) => {
    const manifest = JSON.parse(readFileSync(join(layout, "blobs/sha256", digest.slice(7)), "utf8"));
    return (manifest.layers as { size: number }[]).reduce((sum, { size }) => sum + size, 0) / 1e6;
  });
  return sizes.map((size) => size.toFixed(1)).join(" and ");
}
