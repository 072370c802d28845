import { createHash } from "node:crypto";
import { fileFromText, type SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, type Installation, startInstallation } from "./harness/installation.ts";
import { registryAccess } from "./harness/registry-access.ts";
import { sdk, trusting, versionScript } from "./harness/sdk.ts";

/** The promise "no half image": SIGKILL of the control plane anywhere in a build, while somebody tries to pull all the time. */
let slipway: Installation;
let client: SlipwayClient;
let pull: (path: string) => Promise<Response | undefined>;

beforeAll(async () => {
  slipway = await startInstallation();
  client = await sdk(slipway);
  const { username, password, server } = await registryAccess(slipway);
  const fetch = await trusting(slipway);
  const authorization = `Basic ${btoa(`${username}:${password}`)}`;
  const accept = "application/vnd.oci.image.manifest.v1+json";
  pull = async (path) => {
    // Nobody answers while the control plane is dead.
    const response = await fetch(`https://${server}/v2/default/${path}`, { headers: { authorization, accept } }).catch(
      () => undefined,
    );
    return response?.ok === true ? response : undefined;
  };
});
afterAll(() => slipway?.dispose());

/** Beginnings of lines in the build log; the control plane dies right after each. */
const MOMENTS = ["Building", "Environment", "Warning: the image has no base", "Layer code", "Image"];

test("an image can be pulled whole or not at all, whenever its build is killed", async () => {
  for (const [index, moment] of MOMENTS.entries()) {
    const name = `victim-${index}`;
    const { operationId, imageId } = await client.images.create({
      name,
      models: [],
      script: fileFromText("score.py", versionScript(index)),
    });
    const seen = watchPulls(name);
    await eventually(async () => {
      const log = await client.images.buildLog(imageId).catch(() => "");
      return log.split("\n").some((line) => line.slice(line.indexOf(" ") + 1).startsWith(moment)) ? true : undefined;
    });
    await slipway.killControlPlane();
    await eventually(() => slipway.health().catch(() => undefined));
    await client.operations.wait(operationId);

    const { digest, parts } = (await wholeImage(name)) ?? {};
    expect((await client.images.get(imageId)).imageDigest).toBe(digest);
    expect(parts).toBeGreaterThanOrEqual(2);
    // Whoever got a manifest before the end got the one that stayed.
    for (const early of await seen.stop()) expect(early).toBe(digest);
  }
});

/** Pulls again and again. @returns at the end: the digests of the images that could be pulled; throws if one was not whole */
function watchPulls(name: string): { stop(): Promise<readonly string[]> } {
  let stopped = false;
  const watching = (async () => {
    const digests: string[] = [];
    while (!stopped) {
      const image = await wholeImage(name);
      if (image !== undefined) digests.push(image.digest);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return digests;
  })();
  watching.catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      return watching;
    },
  };
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** @returns undefined when there is no manifest. @throws when there is one and not all of its parts */
async function wholeImage(name: string): Promise<{ readonly digest: string; readonly parts: number } | undefined> {
  const bytes = await bytesOf(`${name}/manifests/1`);
  if (bytes === undefined) return undefined;
  const { config, layers } = JSON.parse(bytes.toString()) as Manifest;
  for (const { digest } of [config, ...layers]) {
    const part = await eventually(() => bytesOf(`${name}/blobs/${digest}`));
    expect(sha256(part)).toBe(digest);
  }
  return { digest: sha256(bytes), parts: 1 + layers.length };
}

/** @returns undefined also when the control plane died while it sent them */
async function bytesOf(path: string): Promise<Buffer | undefined> {
  const response = await pull(path);
  return response?.arrayBuffer().then(
    (bytes) => Buffer.from(bytes),
    () => undefined,
  );
}

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
