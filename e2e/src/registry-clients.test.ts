import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, startDocker } from "../../server/src/platform/testing/container-engines.ts";
import { eventually, type Finished, type Installation, run, startInstallation } from "./harness/installation.ts";
import { type RegistryAccess, registryAccess } from "./harness/registry-access.ts";

const oras = process.env.SLIPWAY_TEST_ORAS ?? "";
const has = async (program: string) => (await run(["sh", "-c", `command -v ${program}`])).code === 0;
const isRoot = process.getuid?.() === 0;

let slipway: Installation;
let registry: RegistryAccess;
let folder: string;
/** of the image's manifest */
let digest: string;
beforeAll(async () => {
  slipway = await startInstallation();
  registry = await registryAccess(slipway);
  folder = await mkdtemp(join(tmpdir(), "slipway-clients-"));
  digest = await writeLayout(join(folder, "image"));
  await mkdir(join(folder, "certs"));
  await copyFile(registry.caFile, join(folder, "certs/ca.crt"));
});
afterAll(async () => {
  await slipway?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const image = (name: string) => `${registry.server}/default/clients/${name}:1`;
const login = () => `${registry.username}:${registry.password}`;

/** @returns what it printed */
async function succeeds(command: readonly string[], options: Parameters<typeof run>[1] = {}): Promise<string> {
  const finished: Finished = await run(command, options);
  expect(finished.code, `${command.join(" ")}\n${finished.output}`).toBe(0);
  return finished.stdout;
}

function skopeo(command: string, ...args: readonly string[]): Promise<string> {
  const trust = command === "copy" ? [] : ["--cert-dir", join(folder, "certs"), "--creds", login()];
  return succeeds(["skopeo", command, ...trust, ...args]);
}

function pushBySkopeo(name: string): Promise<string> {
  const trust = ["--dest-cert-dir", join(folder, "certs"), "--dest-creds", login()];
  return skopeo("copy", ...trust, `oci:${join(folder, "image")}:1`, `docker://${image(name)}`);
}

async function digestOf(name: string): Promise<string> {
  const raw = await skopeo("inspect", "--raw", `docker://${image(name)}`);
  return `sha256:${createHash("sha256").update(raw).digest("hex")}`;
}

describe.skipIf(!(await has("skopeo")))("skopeo", () => {
  test("pushes, lists, pulls the same bytes, and deletes", async () => {
    await pushBySkopeo("skopeo");
    expect(await digestOf("skopeo")).toBe(digest);
    const tags = JSON.parse(await skopeo("list-tags", `docker://${registry.server}/default/clients/skopeo`));
    expect(tags.Tags).toEqual(["1"]);
    const back = ["--src-cert-dir", join(folder, "certs"), "--src-creds", login(), `docker://${image("skopeo")}`];
    await skopeo("copy", ...back, `oci:${join(folder, "back")}:1`);
    const index = JSON.parse(await readFile(join(folder, "back/index.json"), "utf8"));
    expect(index.manifests[0].digest).toBe(digest);
    await skopeo("delete", `docker://${image("skopeo")}`);
    const trust = ["--cert-dir", join(folder, "certs"), "--creds", login()];
    const gone = await run(["skopeo", "inspect", ...trust, `docker://${image("skopeo")}`]);
    expect(gone.output).toMatch(/manifest unknown/);
  });

  test("is told why when the password is wrong, the workspace is another, or the admin user is off", async () => {
    const attempt = (creds: string, target: string) => {
      const trust = ["--dest-cert-dir", join(folder, "certs"), "--dest-creds", creds];
      return run(["skopeo", "copy", ...trust, `oci:${join(folder, "image")}:1`, `docker://${target}`]);
    };
    for (const [creds, target] of [
      [`${registry.username}:wrong`, image("denied")],
      [login(), `${registry.server}/another/clients/denied:1`],
    ] as const) {
      const { code, output } = await attempt(creds, target);
      expect(code).not.toBe(0);
      expect(output).toMatch(/unauthorized|authentication required/i);
    }
    await slipway.slipway(["registry", "credentials", "disable"]);
    expect((await attempt(login(), image("denied"))).code).not.toBe(0);
    expect((await slipway.slipway(["registry", "credentials", "show"])).output).toMatch(/credentials enable/);
    await slipway.slipway(["registry", "credentials", "enable"]);
    expect((await attempt(login(), image("denied"))).code).toBe(0);
    await slipway.slipway(["registry", "credentials", "renew"]);
    expect((await attempt(login(), image("denied"))).code).not.toBe(0);
    registry = await registryAccess(slipway);
    expect((await attempt(login(), image("denied"))).code).toBe(0);
  });
});

describe.skipIf(!isRoot || !(await has("podman")))("podman", () => {
  test("pulls and pushes", async () => {
    await pushBySkopeo("podman");
    const storage = [
      "--root",
      join(folder, "podman"),
      "--runroot",
      join(folder, "podman-run"),
      "--storage-driver",
      "vfs",
    ];
    const podman = (...args: readonly string[]) => succeeds(["podman", ...storage, ...args]);
    const trust = ["--cert-dir", join(folder, "certs"), "--creds", login()];
    await podman("pull", ...trust, image("podman"));
    await podman("tag", image("podman"), image("by-podman"));
    await podman("push", ...trust, image("by-podman"));
    await podman("rmi", "--all", "--force");
    await podman("pull", ...trust, image("by-podman"));
    // What it pushes it packs anew; the contents are the same.
    const layers = await podman("image", "inspect", "--format", "{{json .RootFS.Layers}}", image("by-podman"));
    expect(JSON.parse(layers)).toEqual(await diffIds());
  });
});

describe.skipIf(!isRoot || !(await has("dockerd")))("docker", () => {
  let engine: ContainerEngine;
  beforeAll(async () => {
    engine = await startDocker();
  });
  afterAll(() => engine?.close());

  test("logs in, pulls and pushes", async () => {
    await pushBySkopeo("docker");
    const env = { DOCKER_HOST: engine.address, DOCKER_CONFIG: join(folder, "docker-config") };
    const docker = (args: readonly string[], input?: string) =>
      succeeds(["docker", ...args], input === undefined ? { env } : { env, input });
    await docker(["login", "-u", registry.username, "--password-stdin", registry.server], registry.password);
    await docker(["pull", image("docker")]);
    await docker(["tag", image("docker"), image("by-docker")]);
    await docker(["push", image("by-docker")]);
    await docker(["rmi", image("docker"), image("by-docker")]);
    await docker(["pull", image("by-docker")]);
    const layers = await docker(["image", "inspect", "--format", "{{json .RootFS.Layers}}", image("by-docker")]);
    expect(JSON.parse(layers)).toEqual(await diffIds());
  });
});

describe.skipIf(!isRoot || !(await has("containerd")) || !(await has("ctr")))("containerd", () => {
  let containerd: ChildProcess;
  let socket: string;
  beforeAll(async () => {
    const home = join(folder, "containerd");
    socket = join(home, "c.sock");
    const hosts = join(home, "hosts", registry.server);
    await mkdir(hosts, { recursive: true });
    await writeFile(
      join(hosts, "hosts.toml"),
      `server = "https://${registry.server}"\n[host."https://${registry.server}"]\n  capabilities = ["pull", "resolve", "push"]\n  ca = ${JSON.stringify(registry.caFile)}\n`,
    );
    const config = join(home, "config.toml");
    await writeFile(
      config,
      `version = 2\nroot = "${home}/root"\nstate = "${home}/state"\noom_score = 0\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "${socket}"\n`,
    );
    containerd = spawn("containerd", ["--config", config], { stdio: "ignore" });
    await eventually(async () => ((await run(["ctr", "-a", socket, "version"])).code === 0 ? true : undefined));
  });
  afterAll(async () => {
    if (containerd === undefined) return;
    const ended = once(containerd, "exit");
    containerd.kill("SIGTERM");
    await ended;
  });

  test("pulls and pushes the same bytes", async () => {
    await pushBySkopeo("containerd");
    const images = (...args: readonly string[]) => succeeds(["ctr", "-a", socket, "-n", "test", "images", ...args]);
    const trust = ["--hosts-dir", join(folder, "containerd/hosts"), "--user", login(), "--platform", "linux/amd64"];
    await images("pull", ...trust, "--snapshotter", "native", image("containerd"));
    await images("tag", image("containerd"), image("by-containerd"));
    await images("push", ...trust, image("by-containerd"));
    expect(await digestOf("by-containerd")).toBe(digest);
  });
});

describe.skipIf(oras === "")("oras", () => {
  test("pushes files, attaches to them, discovers and pulls what is attached, and deletes", async () => {
    const trust = ["--plain-http=false", "--ca-file", registry.caFile, "-u", registry.username, "--password-stdin"];
    const call = (args: readonly string[], cwd = folder) =>
      succeeds([oras, ...args, ...trust], { cwd, input: registry.password });
    await writeFile(join(folder, "notes.txt"), "some notes");
    await writeFile(join(folder, "signature.txt"), "a signature");
    const repository = `${registry.server}/default/clients/oras`;
    await call(["push", image("oras"), "notes.txt:text/plain"]);
    await call(["attach", "--artifact-type", "text/signature", image("oras"), "signature.txt:text/plain"]);
    await call(["attach", "--artifact-type", "text/other", image("oras"), "notes.txt:text/plain"]);
    const found = JSON.parse(
      await call(["discover", "--format", "json", "--artifact-type", "text/signature", image("oras")]),
    ) as { referrers: { digest: string; artifactType: string }[] };
    expect(found.referrers.map(({ artifactType }) => artifactType)).toEqual(["text/signature"]);
    await mkdir(join(folder, "pulled"));
    await call(["pull", `${repository}@${found.referrers[0]?.digest}`], join(folder, "pulled"));
    expect(await readFile(join(folder, "pulled/signature.txt"), "utf8")).toBe("a signature");
    expect(await call(["repo", "tags", repository])).toBe("1\n");
    expect(await call(["repo", "ls", registry.server])).toContain("default/clients/oras\n");
    await call(["manifest", "delete", "--force", image("oras")]);
    const tags = await run([oras, "repo", "tags", ...trust, repository], { input: registry.password });
    expect(tags.stdout).toBe("");
  });
});

/** An image of two layers as an OCI layout. @returns the digest of its manifest */
async function writeLayout(at: string): Promise<string> {
  await mkdir(join(at, "blobs/sha256"), { recursive: true });
  async function put(bytes: Uint8Array) {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(at, "blobs/sha256", hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  }
  const tars = [tarOf("large", randomBytes(3_000_000)), tarOf("small", Buffer.from("a few bytes"))];
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/small"] },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${createHash("sha256").update(tar).digest("hex")}`) },
  };
  await writeFile(join(at, "config.json"), JSON.stringify(config));
  const layers: object[] = [];
  for (const tar of tars) {
    layers.push({ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", ...(await put(gzipSync(tar))) });
  }
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const described = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    ...(await put(Buffer.from(JSON.stringify(config)))),
  };
  const manifest = {
    mediaType,
    ...(await put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: described, layers })))),
  };
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  await writeFile(
    join(at, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(at, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return manifest.digest;
}

async function diffIds(): Promise<string[]> {
  return JSON.parse(await readFile(join(folder, "image/config.json"), "utf8")).rootfs.diff_ids;
}

/** A tar with one plain file (POSIX.1-1988, "ustar"). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(0, 12), 100);
  header.write(`${" ".repeat(8)}0`, 148);
  header.write("ustar\u000000", 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  const padding = Buffer.alloc(((512 - (content.length % 512)) % 512) + 1024);
  return Buffer.concat([header, content, padding]);
}
