import { createReadStream } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { ownArchitecture } from "../../platform/architecture.ts";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import { writeMachineTar } from "../../platform/testing/machine-tar.ts";
import { mediaTypes, type Registry, type Repository } from "../../registry/index.ts";

export const MACHINE_PYTHON = "3.11";

const PYTHON = `/usr/bin/python${MACHINE_PYTHON}`;

export async function hasMachinePython(): Promise<boolean> {
  return access(PYTHON).then(
    () => true,
    () => false,
  );
}

/** Puts a base into a repository that nobody can run: of any architecture, with an interpreter by name only. */
export async function pushForeignBase(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
  architecture: string,
  interpreter = "a program",
): Promise<void> {
  const tar = pack();
  tar.entry({ name: PYTHON.slice(1), mtime: new Date(0), mode: 0o755 }, interpreter);
  tar.finalize();
  await pushLayer({ registry, blobs }, repository, tag, architecture, Readable.from([await buffer(tar)]));
}

/** Makes a base of this machine's own files, in seconds and without a network, and puts it into a repository. */
export async function pushMachineBase(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-base-"));
  try {
    const tar = join(folder, "base.tar");
    await writeMachineTar(tar);
    await pushLayer({ registry, blobs }, repository, tag, ownArchitecture(), createReadStream(tar));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pushLayer(
  { registry, blobs }: { readonly registry: Registry; readonly blobs: BlobStore },
  repository: Repository,
  tag: string,
  architecture: string,
  tar: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { digest, sizeBytes } = await blobs.put(tar);
  const config = await registry.putDocument(mediaTypes.config, {
    ...{ os: "linux", architecture },
    config: { Env: ["PATH=/usr/bin:/bin", "FROM_BASE=yes"], User: "", Cmd: ["python3"] },
    rootfs: { type: "layers", diff_ids: [digest] },
  });
  const layer = { mediaType: mediaTypes.layer, digest, size: sizeBytes };
  const manifest = await registry.putDocument(mediaTypes.manifest, {
    ...{ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer] },
  });
  await registry.tagManifest(repository, tag, manifest, [config, layer]);
}
