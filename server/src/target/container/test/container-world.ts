import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { ownArchitecture } from "../../../platform/architecture.ts";
import { systemClock } from "../../../platform/clock.ts";
import { createEngineClient, type EngineClient } from "../../../platform/engine/engine-client.ts";
import type { ImageBlob, ImageBlobs } from "../../../platform/engine/image-archive.ts";
import { ownLimits } from "../../../platform/engine/own-limits.ts";
import { newShortId } from "../../../platform/ids.ts";
import { silentLog } from "../../../platform/log.ts";
import type { ContainerEngine } from "../../../platform/testing/container-engines.ts";
import { plainDeployment } from "../../plain-deployment.ts";
import type { Deployment, ImageBundle, ReplicaObservation } from "../../target.ts";
import { type ConformanceWorld, type DeploymentWishes, eventually } from "../../target-conformance.ts";
import { labels } from "../container-settings.ts";
import { type ContainerTargetOptions, createContainerTarget } from "../container-target.ts";
import { ownUser } from "../own-user.ts";
import type { BlobFile, Moment, Order } from "./apply-until-killed.ts";
import type { MachineImage } from "./machine-image.ts";

export interface ContainerWorld extends ConformanceWorld {
  readonly engine: ContainerEngine;
  readonly client: EngineClient;
  /** the replica's folder, seen from outside */
  folderOf(replica: ReplicaObservation): string;
  deployment(script: string, wishes?: DeploymentWishes & ImageWishes): Promise<Deployment>;
  readonly options: ContainerTargetOptions;
  /** its containers in whatever state */
  containers(deployment: Pick<Deployment, "id">): Promise<readonly { readonly State: string }[]>;
  /** Another process applies it and dies at that moment. @returns the signal that ended it; null if the moment never came */
  applyUntilKilled(deployment: Deployment, moment: Moment): Promise<NodeJS.Signals | null>;
  /** Expects that a removed deployment has left logs at most. */
  leavesNothing(deployment: Pick<Deployment, "id">): Promise<void>;
}

export interface ImageWishes {
  readonly bundle?: Partial<ImageBundle>;
  readonly entrypoint?: readonly string[];
}

export async function openContainerWorld(engine: ContainerEngine, image: MachineImage): Promise<ContainerWorld> {
  const base = await mkdtemp(join(tmpdir(), "slipway-container-"));
  const secret = { file: join(base, "key"), text: "the key of the control plane" };
  await writeFile(secret.file, secret.text, { mode: 0o600 });
  const contents = new Map<string, ImageBlobs>();
  const client = createEngineClient(engine.socketPath);
  const options: ContainerTargetOptions = {
    folder: join(base, "containers"),
    findEngine: async () => createEngineClient(engine.socketPath),
    findBlobs: async ({ imageDigest }) => {
      const found = contents.get(imageDigest);
      if (found === undefined) throw new Error(`No image ${imageDigest}.`);
      return found;
    },
    installation: newShortId(),
    nodePath: process.execPath,
    execArgv: ["--conditions=slipway-source"],
    own: await ownUser(),
    limits: await ownLimits(),
    network: "none",
    shortFolderRoot: base,
    legacyStatusCodes: false,
    timeZone: undefined,
    clock: systemClock,
    log: silentLog,
  };
  const target = createContainerTarget(options);
  const folderOf = (replica: ReplicaObservation) => join(options.folder, replica.id);
  const containersOf = ({ id }: Pick<Deployment, "id">) =>
    client.containers({ [labels.installation]: options.installation, [labels.deployment]: id });

  return {
    engine,
    client,
    folderOf,
    options,
    target,
    secret,
    changesUser: options.own.uid === 0,
    reopen: () => createContainerTarget(options),
    async deployment(script, { environmentVariables = {}, bundle: changed, entrypoint, ...settings } = {}) {
      const id = newShortId();
      const made = await image.withScript(script, entrypoint);
      contents.set(made.manifest.digest, made);
      const bundle: ImageBundle = {
        imageId: "echo:1",
        imageDigest: made.manifest.digest,
        imageLocation: `localhost:8443/default/echo-${id}:1`,
        repository: { workspaceId: "w", name: `echo-${id}` },
        architecture: ownArchitecture(),
        base: "this machine",
        runtime: "python",
        appRoot: join(base, "images", id),
        entryScript: "score.py",
        environmentVariables,
        models: [],
        ...changed,
      };
      await mkdir(bundle.appRoot, { recursive: true });
      return { ...plainDeployment, id, bundle, ...settings };
    },
    async kill(replica) {
      const found = await client.containers({ [labels.replica]: replica.id });
      for (const { Id } of found) await client.killContainer(Id);
      await eventually(async () => {
        for (const { Id } of found) expect((await client.container(Id))?.State.Running).not.toBe(true);
      });
    },
    damages: {
      "sockets removed": async (replica) => {
        for (const name of ["http.sock", "frames.sock"]) await rm(join(folderOf(replica), "shared", name));
      },
      "folder removed": (replica) => rm(folderOf(replica), { recursive: true }),
      "record replaced": (replica) => writeFile(join(folderOf(replica), "container.json"), "{}"),
    },
    containers: containersOf,
    async applyUntilKilled(deployment, moment) {
      const { findEngine: _, findBlobs: __, clock: ___, log: ____, ...plain } = options;
      const blobs = await options.findBlobs(deployment.bundle);
      const folder = await mkdtemp(join(base, "blobs-"));
      const [manifest, config, ...layers] = await Promise.all(
        [blobs.manifest, blobs.config, ...blobs.layers].map((blob) => writeBlob(folder, blob)),
      );
      if (manifest === undefined || config === undefined)
        throw new Error("An image has a manifest and a configuration.");
      const image = { manifest: { ...manifest, mediaType: blobs.manifest.mediaType }, config, layers };
      const order: Order = { options: plain, socketPath: engine.socketPath, image, deployment, moment };
      const program = fileURLToPath(new URL("apply-until-killed.ts", import.meta.url));
      const child = spawn(process.execPath, ["--conditions=slipway-source", program, JSON.stringify(order)], {
        stdio: ["ignore", "inherit", "inherit"],
      });
      const [, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
      await rm(folder, { recursive: true });
      return signal;
    },
    async leavesNothing(deployment) {
      expect(await containersOf(deployment)).toEqual([]);
      const left = (await readdir(base, { recursive: true })).filter((path) => path.includes(deployment.id));
      const known = [`containers/retired/${deployment.id}`, `images/${deployment.id}`];
      expect(left.filter((path) => !known.some((one) => path === one || path.startsWith(`${one}/`)))).toEqual([]);
    },
    async running(deployment) {
      return (await containersOf(deployment)).filter(({ State }) => State === "running").length;
    },
    async close() {
      await engine.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function writeBlob(folder: string, { digest, size, read }: ImageBlob): Promise<BlobFile> {
  const file = join(folder, digest.replace(":", "-"));
  await writeFile(file, read());
  return { digest, size, file };
}
