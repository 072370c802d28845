import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { registryAccess } from "../../e2e/src/harness/registry-access.ts";
import { trusting } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark } from "./benchmark.ts";
import { peakMemoryMiB, resetPeakMemory } from "./measure/process-memory.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";
import { startDebianRegistry } from "./servers/debian-registry.ts";

const MIB = 1024 * 1024;
const BASE = "Debian's docker-registry";
const SMALL_BYTES = 8 * 1024;

interface Contender {
  readonly name: string;
  /** where its repositories are: `localhost:PORT[/default]` */
  readonly root: string;
  readonly credentials: string | undefined;
}

export const registry: Benchmark = {
  name: "registry",
  compares: "Pushing and pulling images by skopeo: our registry beside Debian's docker-registry, both with TLS.",
  help: `One image has a single layer of 1 GiB, the other 1,000 layers of 8 KiB. Both registries get the same bytes, which neither has seen before,
and store them on the same disk; who is first changes from round to round. The client is skopeo with an OCI layout in the page cache; its own work
(reading, hashing, TLS) is in all times. Slipway checks a password with each request, docker-registry none. The peak memory is the
control plane's (VmHWM).

3 rounds, about 3 minutes and 8 GiB in the temporary folder. --quick: 1 round with 32 MiB and 50 layers, about 10 seconds.`,
  metrics: [
    { title: "push 1 GiB s", decimals: 2 },
    { title: "pull 1 GiB s", decimals: 2 },
    { title: "push 1,000 layers s", decimals: 2 },
    { title: "pull 1,000 layers s", decimals: 2 },
    { title: "control plane MiB", decimals: 0 },
  ],
  base: BASE,
  async run(context) {
    const [rounds, sizeMiB, layers] = context.quick ? [1, 32, 50] : [3, 1024, 1000];
    const slipway = await startSlipway(context);
    const access = await registryAccess(slipway);
    const fetch = await trusting(slipway);
    const debian = await startDebianRegistry(context, {
      certificateFile: join(slipway.dataFolder, "tls/server.pem"),
      keyFile: join(slipway.dataFolder, "tls/server.key"),
      answers: async (url) => (await fetch(url, {})).status === 200,
    });
    const { pid } = await slipway.health();
    const trust = join(context.folder, "certs");
    await mkdir(trust);
    await copyFile(access.caFile, join(trust, "ca.crt"));
    const contenders: readonly Contender[] = [
      { name: BASE, root: debian.server, credentials: undefined },
      { name: "Slipway", root: `${access.server}/default`, credentials: `${access.username}:${access.password}` },
    ];
    const back = join(context.folder, "back");

    async function copy(contender: Contender, direction: "push" | "pull", layout: string): Promise<number> {
      const side = direction === "push" ? "dest" : "src";
      const login = contender.credentials === undefined ? [] : [`--${side}-creds`, contender.credentials];
      const [local, remote] = [`oci:${layout}:1`, `docker://${contender.root}/bench/image:1`];
      const places = direction === "push" ? [local, remote] : [remote, `oci:${back}:1`];
      const { total } = await timeProgram([
        "skopeo",
        "copy",
        "--quiet",
        `--${side}-cert-dir`,
        trust,
        ...login,
        ...places,
      ]);
      await rm(back, { recursive: true, force: true });
      return total;
    }

    const lines = await collectRounds(context, rounds, async function* (round): AsyncIterable<Measured> {
      const large = await writeLayout(join(context.folder, "large"), [sizeMiB * MIB]);
      const many = await writeLayout(
        join(context.folder, "many"),
        Array.from({ length: layers }, () => SMALL_BYTES),
      );
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        await resetPeakMemory(pid);
        const values: Record<string, number> = {
          "push 1 GiB s": await copy(contender, "push", large),
          "pull 1 GiB s": await copy(contender, "pull", large),
          "push 1,000 layers s": await copy(contender, "push", many),
          "pull 1,000 layers s": await copy(contender, "pull", many),
        };
        const memory = contender.name === BASE ? {} : { "control plane MiB": await peakMemoryMiB(pid) };
        yield { name: contender.name, values: { ...values, ...memory } };
      }
    });
    const skopeo = execFileSync("skopeo", ["--version"], { encoding: "utf8" }).trim();
    return {
      lines,
      facts: { "size MiB": sizeMiB, layers, "docker-registry": debian.version, client: skopeo },
    };
  },
};

/** An image whose layers have these sizes and never seen bytes, as an OCI layout. @returns its folder */
async function writeLayout(folder: string, layerBytes: readonly number[]): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  for (const [index, size] of layerBytes.entries()) {
    const name = join(folder, `layer-${index}`);
    const digest = await writeRandomFile(name, size);
    await rename(name, join(blobs, digest));
    layers.push({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${digest}`, size });
  }
  const put = async (document: object) => {
    const text = JSON.stringify(document);
    const digest = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, digest), text);
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const config = await put({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const described = { mediaType: "application/vnd.oci.image.config.v1+json", ...config };
  const manifest = await put({ schemaVersion: 2, mediaType, config: described, layers });
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  const index = { schemaVersion: 2, manifests: [{ mediaType, ...manifest, annotations }] };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  // On the disk, so that no measurement pays for it.
  execFileSync("sync", ["--file-system", folder]);
  return folder;
}

/** @returns its SHA-256 */
async function writeRandomFile(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash("sha256");
  await using file = await open(path, "w");
  for (let left = sizeBytes; left > 0; left -= MIB) {
    const piece = randomBytes(Math.min(MIB, left));
    hash.update(piece);
    await file.write(piece);
  }
  return hash.digest("hex");
}
