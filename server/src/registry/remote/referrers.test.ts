import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../platform/clock.ts";
import { mediaTypes } from "../registry.ts";
import { digestOf } from "./image-document.ts";
import { parseImageReference } from "./image-reference.ts";
import { createRemoteRegistries } from "./remote-registry.ts";
import { type ScriptedRegistry, serveRegistry } from "./test/scripted-registry.ts";

const subject = digestOf(Buffer.from("an image"));
const tag = `/v2/team/words/manifests/${subject.replace(":", "-")}`;
const signal = () => AbortSignal.timeout(20_000);

describe("what lies beside an image in a registry elsewhere", () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  /** Keeps manifests by their address, and lists referrers itself if it has the API. */
  async function serve({
    hasApi,
    files = new Map<string, Buffer>(),
  }: {
    hasApi: boolean;
    files?: Map<string, Buffer>;
  }) {
    const registry = await serveRegistry((request, response, path) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (request.method === "PUT") {
          files.set(path, Buffer.concat(chunks));
          response.writeHead(201, hasApi ? { "OCI-Subject": subject } : {}).end();
          return;
        }
        const found = files.get(path);
        response.writeHead(found === undefined ? 404 : 200).end(found);
      });
    });
    open.push(registry);
    return { registry, files };
  }

  function opened({ host }: ScriptedRegistry) {
    const remote = createRemoteRegistries({ clock: systemClock, env: {} });
    open.push(remote);
    const reference = parseImageReference(`${host}/team/words:1`);
    return { reading: remote.open(reference), push: remote.push(reference) };
  }

  function document(name: string) {
    const bytes = Buffer.from(JSON.stringify({ name }));
    return {
      ...{ mediaType: mediaTypes.manifest, digest: digestOf(bytes), size: bytes.length, artifactType: `text/${name}` },
      async *read() {
        yield bytes;
      },
    };
  }

  it("is listed under a tag by a registry without the API, each once", async () => {
    const { registry, files } = await serve({ hasApi: false });
    const { reading, push } = opened(registry);
    expect(await reading.referrers(subject, signal())).toEqual([]);
    for (const name of ["lock", "sbom", "lock"]) await push.referrer(document(name), subject, signal());
    const { read: _, ...lock } = document("lock");
    const { read: __, ...sbom } = document("sbom");
    expect(await reading.referrers(subject, signal())).toEqual([sbom, lock]);
    expect(JSON.parse(files.get(tag)?.toString() ?? "")).toMatchObject({
      ...{ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [sbom, lock] },
    });
  });

  it("is listed by the registry itself if it says so", async () => {
    const { registry, files } = await serve({ hasApi: true });
    const { reading, push } = opened(registry);
    await push.referrer(document("lock"), subject, signal());
    expect(files.has(tag)).toBe(false);
    const { read: _, ...lock } = document("lock");
    files.set(`/v2/team/words/referrers/${subject}`, Buffer.from(JSON.stringify({ manifests: [lock] })));
    expect(await reading.referrers(subject, signal())).toEqual([lock]);
  });

  it.each(["no JSON", '{"manifests": [{"digest": "sha256:../../etc"}]}', '{"manifests": 1}', "\xff"])(
    "is nothing when the list is %j",
    async (text) => {
      const files = new Map([[tag, Buffer.from(text, "latin1")]]);
      const { reading } = opened((await serve({ hasApi: false, files })).registry);
      expect(await reading.referrers(subject, signal())).toEqual([]);
    },
  );
});
