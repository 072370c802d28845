// A control plane that applies a deployment and is killed at a given moment. It prints nothing; it ends with code 0 only if that
// moment never came.
import { createReadStream } from "node:fs";
import { systemClock } from "../../../platform/clock.ts";
import { createEngineClient, type EngineClient } from "../../../platform/engine/engine-client.ts";
import type { ImageBlob, ImageBlobs } from "../../../platform/engine/image-archive.ts";
import { silentLog } from "../../../platform/log.ts";
import type { Deployment } from "../../target.ts";
import { type ContainerTargetOptions, createContainerTarget } from "../container-target.ts";

export type PlainOptions = Omit<ContainerTargetOptions, "findEngine" | "findBlobs" | "clock" | "log">;

export interface BlobFile extends Pick<ImageBlob, "digest" | "size"> {
  readonly file: string;
}

/** Before or after a call to the engine, or when the first bytes of an image are on their way. */
export interface Moment {
  readonly when: "before" | "after" | "during";
  readonly call: keyof EngineClient;
}

export interface Order {
  readonly options: PlainOptions;
  readonly socketPath: string;
  readonly image: {
    readonly manifest: BlobFile & { readonly mediaType: string };
    readonly config: BlobFile;
    readonly layers: readonly BlobFile[];
  };
  readonly deployment: Deployment;
  readonly moment: Moment;
}

const order = JSON.parse(process.argv[2] ?? "") as Order;
const blob = <Blob extends BlobFile>(one: Blob) => ({ ...one, read: () => createReadStream(one.file) });
const { manifest, config, layers } = order.image;
const image: ImageBlobs = { manifest: blob(manifest), config: blob(config), layers: layers.map(blob) };
const target = createContainerTarget({
  ...order.options,
  findEngine: async () => deadly(createEngineClient(order.socketPath), order.moment),
  findBlobs: async () => image,
  clock: systemClock,
  log: silentLog,
});
await target.apply(order.deployment, { signal: AbortSignal.timeout(120_000), say: () => undefined });
process.exit(0);

function deadly(client: EngineClient, { when, call }: Moment): EngineClient {
  return new Proxy(client, {
    get(_, name) {
      const method: unknown = Reflect.get(client, name);
      if (name !== call || typeof method !== "function") return method;
      return async (first: unknown, ...others: readonly unknown[]) => {
        if (when === "before") die();
        const result: unknown = await method(
          when === "during" ? untilBytes(first as AsyncIterable<Uint8Array>) : first,
          ...others,
        );
        if (when === "after") die();
        return result;
      };
    },
  });
}

async function* untilBytes(archive: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let sent = 0;
  for await (const chunk of archive) {
    // What was given before is with the engine, or on its way.
    if (sent > 100_000) die();
    yield chunk;
    sent += chunk.length;
  }
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}
