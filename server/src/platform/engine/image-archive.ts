import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";

export interface ImageBlob {
  /** `sha256:` and 64 hex digits */
  readonly digest: string;
  readonly size: number;
  read(): AsyncIterable<Uint8Array>;
}

/** A whole image, as it lies in the registry. */
export interface ImageBlobs {
  readonly manifest: ImageBlob & { readonly mediaType: string };
  readonly config: ImageBlob;
  readonly layers: readonly ImageBlob[];
}

/**
 * The image as one tar under a name: an OCI image layout that is a `docker save` archive as well. Docker before 25 reads
 * `manifest.json` only, Podman and Docker's containerd store read `index.json` and keep the manifest's digest.
 *
 * @param leaveOut layers that the engine has
 */
export function imageArchive(
  image: ImageBlobs,
  reference: string,
  leaveOut: readonly ImageBlob[] = [],
): AsyncIterable<Uint8Array> {
  const { manifest, config, layers } = image;
  const tar = pack();
  const add = (name: string, text: string) => tar.entry({ name, ...PLAIN }, text);
  const addBlobs = async () => {
    add("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    add("index.json", JSON.stringify(index(manifest, reference)));
    const loaded = [{ Config: blobName(config), RepoTags: [reference], Layers: layers.map(blobName) }];
    add("manifest.json", JSON.stringify(loaded));
    const blobs = new Map([manifest, config, ...layers].map((blob) => [blob.digest, blob]));
    for (const { digest } of leaveOut) blobs.delete(digest);
    for (const blob of blobs.values()) await addBlob(tar, blob);
    tar.finalize();
  };
  addBlobs().catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  return Readable.from(tar);
}

export function sizeOf(blobs: readonly ImageBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

const PLAIN = { mode: 0o644, mtime: new Date(0) };

function index(manifest: ImageBlobs["manifest"], reference: string) {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.size,
        annotations: { "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference },
      },
    ],
  };
}

function blobName({ digest }: ImageBlob): string {
  return `blobs/${digest.replace(":", "/")}`;
}

async function addBlob(tar: ReturnType<typeof pack>, blob: ImageBlob): Promise<void> {
  const entry = tar.entry({ name: blobName(blob), size: blob.size, ...PLAIN });
  await pipeline(blob.read(), entry);
}
