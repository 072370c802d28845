import { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import { defineOperation } from "../operation/index.ts";
import { AppError } from "../platform/errors.ts";
import { inParallel } from "../platform/in-parallel.ts";
import type { Content, Registry, Repository } from "../registry/index.ts";
import { type ImagePush, imageName, parseImageReference, type RemoteRegistries } from "../registry/remote/index.ts";
import type { SecretBox } from "../secret/index.ts";
import type { RegistryCredentials } from "./image.ts";
import { imageDamaged, imageNotFound } from "./image-errors.ts";
import { type ImageStore, parseImageId } from "./image-store.ts";

export const IMAGE_PUSH = "image.push";

export interface PushImageInput {
  /** `name:version` */
  readonly imageId: string;
  /** where it goes, written out in full */
  readonly reference: string;
  /** sealed {@link RegistryCredentials}; null: anybody may push there */
  readonly credentials: string | null;
}

export interface PushImageDependencies {
  readonly store: ImageStore;
  readonly registry: Registry;
  readonly remote: RemoteRegistries;
  readonly secrets: SecretBox;
}

/** At once: enough to fill a line, little enough for small registries. */
const PARALLEL = 3;

/** Copies an image into a registry elsewhere. What is there already is not sent again, so a repeated step is cheap. */
export function pushImageOperation({ store, registry, remote, secrets }: PushImageDependencies) {
  function target({ reference, credentials }: PushImageInput) {
    const login = credentials === null ? undefined : (JSON.parse(secrets.open(credentials)) as RegistryCredentials);
    return remote.push(parseImageReference(reference), login);
  }

  async function manifestOf(workspaceId: string, imageId: string) {
    const { name, version } = parseImageId(imageId);
    const repository: Repository = { workspaceId, name };
    const manifest = await registry.findManifest(repository, String(version));
    if (manifest === undefined) throw imageNotFound(imageId);
    return { repository, manifest };
  }

  /** Lock, bill of materials, provenance, and what others attached. The image is pushed: without them it is worth as much. */
  async function pushReferrers(
    push: ImagePush,
    repository: Repository,
    subject: string,
    { signal, say }: { readonly signal: AbortSignal; say(text: string): void },
  ): Promise<void> {
    for (const referrer of await registry.referrers(repository, subject)) {
      try {
        const manifest = await registry.findManifest(repository, referrer.digest);
        if (manifest === undefined) continue;
        for (const digest of await partsOf(manifest)) {
          const content = await registry.findBlob(repository, digest);
          if (content !== undefined) await push.blob(content, signal);
        }
        await push.referrer({ ...manifest, ...referrer }, subject, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof AppError)) throw error;
        say(
          `Warning: a document beside the image (${referrer.artifactType ?? "of no type"}) stays here: ${error.message}`,
        );
      }
    }
  }

  return defineOperation<PushImageInput, Record<string, unknown>>({
    kind: IMAGE_PUSH,
    version: 1,
    steps: [
      {
        name: "push layers",
        timeoutMs: 4 * 60 * 60_000,
        async run({ workspaceId, input, signal, say }) {
          const { repository, manifest } = await manifestOf(workspaceId, input.imageId);
          const push = target(input);
          await inParallel(await partsOf(manifest), PARALLEL, signal, async (digest, stopped) => {
            const content = await registry.findBlob(repository, digest);
            if (content === undefined) throw imageDamaged(input.imageId, digest);
            const sent = await push.blob(content, stopped);
            say(`${digest.slice(0, 19)}: ${sent ? `${megabytes(content.size)} MB sent` : "is there"}.`);
          });
          return undefined;
        },
      },
      {
        name: "push manifest",
        timeoutMs: 10 * 60_000,
        async run({ workspaceId, input, signal, say }) {
          const { repository, manifest } = await manifestOf(workspaceId, input.imageId);
          const push = target(input);
          await push.manifest(manifest, signal);
          say(`Pushed ${input.imageId} to ${input.reference} (${manifest.digest}).`);
          await pushReferrers(push, repository, manifest.digest, { signal, say });
          return undefined;
        },
      },
      {
        name: "note the place",
        timeoutMs: 60_000,
        async run({ workspaceId, input }) {
          const image = await store.find(workspaceId, input.imageId);
          const { manifest } = await manifestOf(workspaceId, input.imageId);
          if (image === undefined) throw imageNotFound(input.imageId);
          const place = `${imageName(parseImageReference(input.reference))}@${manifest.digest}`;
          const places = new Set([...(image.properties["slipway.pushed"] ?? "").split(" "), place]);
          const properties = {
            ...image.properties,
            "slipway.pushed": [...places].filter((one) => one !== "").join(" "),
          };
          await store.update(workspaceId, input.imageId, { properties });
          return undefined;
        },
      },
    ],
  });
}

/** Configuration and layers, each once, of a manifest that was checked when it came to the registry. An index has none. */
async function partsOf(manifest: Content): Promise<string[]> {
  const { config, layers = [] } = (await json(Readable.from(manifest.read()))) as {
    readonly config?: { readonly digest: string };
    readonly layers?: readonly { readonly digest: string }[];
  };
  return [...new Set([...layers, ...(config === undefined ? [] : [config])].map(({ digest }) => digest))];
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
