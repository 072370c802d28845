import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { registryAccess } from "../../e2e/src/harness/registry-access.ts";
import type { Benchmark, Context, Line } from "./benchmark.ts";
import { pushBase } from "./measure/base-image.ts";
import { ensureDebianPackages } from "./measure/checkout-scripts.ts";
import { type PartSize, partSizes, readPulledImage } from "./measure/image-parts.ts";
import { buildPlainImage, PLAIN_LAYERS, type RegistryLogin, SERVER } from "./measure/plain-image.ts";
import { SCIKIT_LEARN } from "./measure/python-environment.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";

const MIB = 1024 * 1024;
const MODEL_BYTES = MIB;
const BASE = "base:python3.11";

const PARTS = ["base", "server", "packages", "bytecode", "model", "code", "caches"] as const;
type Part = (typeof PARTS)[number];

export const imageSize: Benchmark = {
  name: "image-size",
  compares:
    "Where the bytes of an image are: Slipway's beside those of a plain Dockerfile with the same packages on the same base.",
  help: `Both images are built here, on the base that scripts/make-base-image.ts makes, with a model of 1 MiB, and pulled by skopeo from the built-in registry.
The Dockerfile installs the packages of Slipway's own lock file by \`RUN pip install\`, then ${SERVER} as its server; it is built by podman. pip
itself runs from its wheel, mounted for the build: the base has none. Sizes are those of the members of the layers' tars; "gzip" packs each part by
itself. "server" is Node, scorer and worker in ours and the packages that the server brings in theirs; for azureml-defaults it is among the packages.
"bytecode" is all .pyc files above the base, "caches" is what pip keeps. "as sent" is what a client pulls: our own layers are plain tar, so that the same inputs
give the same bytes everywhere, podman's are packed.

About 5 minutes and 6 GiB in the temporary folder; needs podman, skopeo and root. --quick: scikit-learn only, about 2 minutes.`,
  metrics: [
    { title: "Slipway MiB", decimals: 1 },
    { title: "Dockerfile MiB", decimals: 1 },
    { title: "Slipway gzip MiB", decimals: 1 },
    { title: "Dockerfile gzip MiB", decimals: 1 },
  ],
  async run(context) {
    const missing = ensureDebianPackages([
      { name: "podman", program: "podman", why: "it builds the plain Dockerfile" },
      { name: "skopeo", program: "skopeo", why: "it pulls both images" },
    ]);
    if (missing.length > 0) throw new Error(`${missing.join(" and ")} cannot be installed here.`);
    const slipway = await startSlipway(context);
    await pushBase(slipway);
    const access = await registryAccess(slipway);
    const certificates = join(context.folder, "certificates");
    await mkdir(certificates);
    await copyFile(access.caFile, join(certificates, "ca.crt"));
    const login = { credentials: `${access.username}:${access.password}`, certificates };
    const at = (image: string) => `${access.server}/default/${image}`;
    const baseLayers = (await pull(context, at(BASE), login)).layers.length;

    const model = join(context.folder, "model.pkl");
    await writeFile(model, randomBytes(MODEL_BYTES));
    await slipway.slipway(["model", "register", "--name", "model", model]);
    const script = join(context.folder, "score.py");
    await writeFile(script, "def init():\n    pass\n\ndef run(data):\n    return data\n");

    const lines: Line[] = [];
    for (const [name, packages] of context.quick ? environments.slice(0, 1) : environments) {
      const conda = join(context.folder, `${name}.yml`);
      const requirements = packages.map((line) => `    - ${line}\n`).join("");
      await writeFile(conda, `dependencies:\n  - python=3.11\n  - pip:\n${requirements}`);
      const inputs = ["--model", "model", "--script", script, "--conda", conda];
      await succeed(slipway.slipway(["image", "create", name, ...inputs]));
      const lock = await succeed(slipway.slipway(["image", "proofs", `${name}:1`, "--type", "lock"]));
      const ours = await pull(context, at(`${name}:1`), login);
      context.say(`${name} by Slipway: ${mib(sum(ours.layers, ({ size }) => size))} MiB as sent`);

      const folder = await mkdtemp(join(context.folder, "plain-"));
      const reference = at(`plain-${name}:1`);
      await buildPlainImage(folder, { base: at(BASE), requirements: lock.stdout, script, model, reference }, login);
      await rm(folder, { recursive: true, force: true });
      const theirs = await pull(context, reference, login);
      context.say(`${name} by Dockerfile: ${mib(sum(theirs.layers, ({ size }) => size))} MiB as sent`);

      if (theirs.layers.length !== baseLayers + PLAIN_LAYERS.length)
        throw new Error("podman made other layers than the Dockerfile has.");
      const sizes = [
        await partSizes(ours, (path, layer) => (layer < baseLayers ? "base" : ourPart(path))),
        await partSizes(theirs, (path, layer) => (layer < baseLayers ? "base" : theirPart(path, layer - baseLayers))),
      ] as const;
      for (const part of PARTS) lines.push(line(`${name}: ${part}`, ...sizes.map((one) => one.get(part))));
      lines.push(line(`${name}: all`, ...sizes.map((one) => total([...one.values()]))));
      const sent = [ours, theirs].map(({ layers }) => sum(layers, ({ size }) => size) / MIB);
      lines.push({
        name: `${name}: as sent`,
        values: { "Slipway MiB": sent.slice(0, 1), "Dockerfile MiB": sent.slice(1) },
      });
    }
    const podman = await timeProgram(["podman", "--version"]);
    return { lines, facts: { "built by": podman.output.trim(), "server of the Dockerfile": SERVER } };
  },
};

const environments: readonly (readonly [name: string, packages: readonly string[]])[] = [
  ["scikit-learn", SCIKIT_LEARN],
  ["azureml-defaults", ["azureml-defaults"]],
];

function ourPart(path: string): Part {
  if (path.endsWith(".pyc")) return "bytecode";
  if (path.startsWith("opt/env/")) return "packages";
  if (path.startsWith("var/azureml-app/azureml-models/")) return "model";
  return path.startsWith("opt/slipway/") && path !== "opt/slipway/image.json" ? "server" : "code";
}

/** @param layer above the base */
function theirPart(path: string, layer: number): Part {
  if (path.endsWith(".pyc")) return "bytecode";
  if (path.startsWith("root/.cache/")) return "caches";
  const made = PLAIN_LAYERS[layer];
  if (made === "packages" || made === "server") return made;
  return path.endsWith("model.pkl") ? "model" : "code";
}

async function pull(context: Context, reference: string, login: RegistryLogin) {
  const folder = await mkdtemp(join(context.folder, "pulled-"));
  const options = ["--src-creds", login.credentials, "--src-cert-dir", login.certificates];
  await timeProgram(["skopeo", "copy", "--quiet", ...options, `docker://${reference}`, `dir:${folder}`]);
  return readPulledImage(folder);
}

async function succeed<Finished extends { readonly code: number | null; readonly output: string }>(
  running: Promise<Finished>,
): Promise<Finished> {
  const finished = await running;
  if (finished.code !== 0) throw new Error(finished.output);
  return finished;
}

function line(name: string, ours?: PartSize, theirs?: PartSize): Line {
  return {
    name,
    values: {
      ...(ours && { "Slipway MiB": [ours.bytes / MIB], "Slipway gzip MiB": [ours.gzipBytes / MIB] }),
      ...(theirs && { "Dockerfile MiB": [theirs.bytes / MIB], "Dockerfile gzip MiB": [theirs.gzipBytes / MIB] }),
    },
  };
}

function total(parts: readonly PartSize[]): PartSize {
  return { bytes: sum(parts, ({ bytes }) => bytes), gzipBytes: sum(parts, ({ gzipBytes }) => gzipBytes) };
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}

const mib = (bytes: number) => (bytes / MIB).toFixed(1);
