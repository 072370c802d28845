import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Image, SlipwayClient } from "@slipway/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, hasEngine, startDocker } from "../../server/src/platform/testing/container-engines.ts";
import { type DebianRegistry, startDebianRegistry } from "../../server/src/registry/remote/test/debian-registry.ts";
import { eventually, type Installation, repository, run, startInstallation } from "./harness/installation.ts";
import { registryAccess } from "./harness/registry-access.ts";
import { buildImage, sdk, trusting, versionScript } from "./harness/sdk.ts";

/** The promise "images can live in an external registry": built on one machine, deployed on another, the same bytes. */
let docker: ContainerEngine;
let registry: DebianRegistry;
let builder: Installation;
let slipway: Installation;
let client: SlipwayClient;
let digest: string | null;
const caBefore = process.env.SSL_CERT_FILE;
const login = { SLIPWAY_REGISTRY_USERNAME: "ada", SLIPWAY_REGISTRY_PASSWORD: "secret" };

describe.skipIf(!hasEngine("docker"))("an image that another installation built and pushed", () => {
  beforeAll(async () => {
    registry = await startDebianRegistry({ tls: true });
    // As an administrator makes a machine trust a registry of the house.
    process.env.SSL_CERT_FILE = registry.caFile;
    [docker, builder, slipway] = await Promise.all([startDocker(), startInstallation(), startInstallation()]);
    const base = [process.execPath, join(repository, "scripts/make-base-image.ts"), "--data", builder.dataFolder];
    expect(await run(base, { timeoutMs: 600_000 })).toMatchObject({ code: 0 });
    const there = await sdk(builder);
    const id = await buildImage(there, "traveller", versionScript(4));
    digest = (await there.images.get(id)).imageDigest;
    const pushed = await builder.slipway(["image", "push", id, `${registry.host}/team/traveller:1`], { env: login });
    expect(pushed.code, pushed.output).toBe(0);
    // From here on there is only the registry.
    await builder.dispose();
    client = await sdk(slipway);
  });
  afterAll(async () => {
    if (caBefore === undefined) delete process.env.SSL_CERT_FILE;
    else process.env.SSL_CERT_FILE = caBefore;
    await slipway?.dispose();
    await builder?.dispose();
    await docker?.close();
    await registry?.close();
  });

  async function deployed(name: string, imageId: string): Promise<unknown> {
    const { operationId } = await client.services.create({ name, imageId, cpu: 0.5, memoryInGB: 0.5 });
    await client.operations.wait(operationId);
    return client.services.score(name, {});
  }

  test("survives the death of the control plane in the middle of its import", async () => {
    const held = await holdingProxy(registry, "blobs", 4);
    try {
      const reference = `localhost:${held.port}/team/traveller:1`;
      const { imageId, operationId } = await client.images.import({ reference, name: "held", ...passing });
      await held.reached;
      expect((await client.images.get(imageId)).creationState).toBe("Running");
      expect(await manifestHere("held")).toBeUndefined();
      const log = () => client.images.buildLog(imageId);
      await eventually(async () => ((await log()).includes(" is here: ") ? true : undefined));
      await slipway.killControlPlane();
      held.release();
      await eventually(async () => ((await slipway.health()).pid > 0 ? true : undefined));
      await client.operations.wait(operationId);
      expect(await client.images.get(imageId)).toMatchObject({ creationState: "Succeeded", imageDigest: digest });
      expect(await manifestHere("held")).toBe(digest);
      // What had come was not fetched again.
      expect(await log()).toMatch(/ 6 of 6 layers are to be fetched[\s\S]* [1-5] of 6 layers are to be fetched/);
    } finally {
      await held.close();
    }
  });

  test("is deployed as a process and in a container, and is the same byte for byte", async () => {
    const reference = `${registry.host}/team/traveller:1`;
    const result = await slipway.slipway(["image", "import", reference, "--output", "json"], { env: login });
    expect(result.code, result.output).toBe(0);
    const image = JSON.parse(result.stdout) as Image;
    expect(image).toMatchObject({ id: "traveller:1", creationState: "Succeeded", imageDigest: digest });
    expect(await manifestHere("traveller")).toBe(digest);
    expect(await deployed("as-process", image.id)).toEqual({ version: 4 });

    await slipway.stop();
    const engine = ["--container-engine", docker.address, "--container-network", "none"];
    await slipway.start(["--container-instances", "container", ...engine]);
    client = await sdk(slipway);
    expect(await deployed("in-container", image.id)).toEqual({ version: 4 });
    const running = await run(["docker", "--host", docker.address, "ps", "--quiet"]);
    expect(running.stdout.trim().split("\n")).toHaveLength(1);
    expect(await eventually(() => client.services.score("as-process", {}))).toEqual({ version: 4 });
  });

  test("is refused in words when the login is wrong", async () => {
    const wrong = { ...login, SLIPWAY_REGISTRY_PASSWORD: "not-the-one" };
    const reference = `${registry.host}/team/traveller:1`;
    const denied = await slipway.slipway(["image", "import", reference, "--name", "denied"], { env: wrong });
    expect(denied.code).not.toBe(0);
    expect(denied.output).toContain("RegistryAccessDenied");
    expect(denied.output).not.toContain("not-the-one");
  });

  const passing = { username: "ada", password: "secret" };

  /** Digest of what anybody can pull; undefined if there is nothing. */
  async function manifestHere(name: string): Promise<string | undefined> {
    const { username, password, server } = await registryAccess(slipway);
    const response = await (await trusting(slipway))(`https://${server}/v2/default/${name}/manifests/1`, {
      headers: {
        authorization: `Basic ${btoa(`${username}:${password}`)}`,
        accept: "application/vnd.oci.image.manifest.v1+json",
      },
    });
    return response.ok ? (response.headers.get("docker-content-digest") ?? "") : undefined;
  }
});

/** Stands before a registry, without TLS, and lets the `nth` answer about such things wait until it is released. */
async function holdingProxy({ host, caFile }: DebianRegistry, what: string, nth: number) {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let count = 0;
  const ca = readFileSync(caFile);
  const server: Server = createServer(async (incoming, response) => {
    if (incoming.url?.includes(`/${what}/`) && incoming.headers.authorization !== undefined && ++count === nth) {
      reached.resolve();
      await released.promise;
    }
    const { host: _, ...headers } = incoming.headers;
    const outgoing = request(`https://${host}${incoming.url}`, { method: incoming.method, headers, ca }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    reached: reached.promise,
    release: () => released.resolve(),
    close() {
      released.resolve();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
