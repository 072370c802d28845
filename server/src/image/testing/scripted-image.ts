import { buffer } from "node:stream/consumers";
import { type Header, pack } from "tar-stream";
import { ownArchitecture } from "../../platform/architecture.ts";
import { mediaTypes } from "../../registry/index.ts";
import { digestOf } from "../../registry/remote/index.ts";

export type Member = Partial<Header> & { readonly name: string; readonly content?: string };

export interface ScriptedLayer {
  /** absent: as another program's image has it */
  readonly kind?: string | undefined;
  readonly members: readonly Member[];
  /** instead of what its bytes have */
  readonly announced?: { readonly digest?: string; readonly size?: number; readonly diffId?: string };
  readonly mediaType?: string;
}

/** What a registry holds: manifests and blobs by digest. */
export interface ScriptedImage {
  readonly digest: string;
  readonly manifest: Buffer;
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** digests in the order of the layers */
  readonly layers: readonly string[];
}

export const SCORE = "def init():\n    pass\ndef run(data):\n    return data\n";
const APP = "var/azureml-app";

/** The layers of a small image, as a build writes them; nobody could run it. */
export const plainLayers = {
  base: { kind: "base", members: [{ name: "usr/bin/sh", content: "a shell" }] },
  runtime: { kind: "runtime", members: [{ name: "opt/slipway/bin/node", mode: 0o755, content: "a program" }] },
  environment: {
    kind: "environment",
    members: [
      { name: "opt/", type: "directory" },
      { name: "opt/env/", type: "directory" },
      { name: "opt/env/bin/", type: "directory" },
      { name: "opt/env/bin/python3", type: "symlink", linkname: "python" },
      { name: "opt/env/lib/", type: "directory" },
      { name: "opt/env/lib/python3.11/", type: "directory" },
      { name: "opt/env/lib/python3.11/site-packages/", type: "directory" },
      { name: "opt/env/lib/python3.11/site-packages/words.py", content: "WORD = 'hello'\n" },
    ],
  },
  model: { kind: "model", members: [{ name: `${APP}/azureml-models/words/1/model.txt`, content: "hello" }] },
  code: { kind: "code", members: [{ name: `${APP}/score.py`, content: SCORE }] },
  configuration: {
    kind: "configuration",
    members: [
      {
        name: "opt/slipway/image.json",
        content: JSON.stringify({ name: "words", runtime: { kind: "python", entryScript: "score.py" } }),
      },
    ],
  },
} satisfies Record<string, ScriptedLayer>;

/** An image of these layers, lowest first. What is announced of them may be a lie. */
export async function scriptedImage(
  layers: readonly ScriptedLayer[] = Object.values(plainLayers),
  { architecture = ownArchitecture() }: { readonly architecture?: string } = {},
): Promise<ScriptedImage> {
  const blobs = new Map<string, Buffer>();
  const add = (bytes: Buffer) => {
    blobs.set(digestOf(bytes), bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const described = [];
  for (const { kind, members, announced, mediaType = mediaTypes.layer } of layers) {
    const { digest, size } = add(await tarOf(members));
    described.push({
      ...{ mediaType, digest: announced?.digest ?? digest, size: announced?.size ?? size },
      diffId: announced?.diffId ?? digest,
      ...(kind !== undefined && { annotations: { "dev.slipway.layer": kind } }),
    });
  }
  const config = add(
    Buffer.from(
      JSON.stringify({
        ...{ os: "linux", architecture },
        config: { Env: ["PATH=/opt/env/bin:/usr/bin", "GREETING=hi", "HOME=/tmp"], User: "65532:65532" },
        rootfs: { type: "layers", diff_ids: described.map(({ diffId }) => diffId) },
      }),
    ),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: mediaTypes.manifest, config: { mediaType: mediaTypes.config, ...config } },
      layers: described.map(({ diffId: _, ...descriptor }) => descriptor),
      annotations: {
        "org.opencontainers.image.base.name": "base:python3.11",
        "org.opencontainers.image.base.digest": digestOf(Buffer.from("base")),
      },
    }),
  );
  return { digest: digestOf(manifest), manifest, blobs, layers: described.map(({ digest }) => digest) };
}

async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members) tar.entry({ mtime: new Date(0), ...header }, content ?? "");
  tar.finalize();
  return buffer(tar);
}
