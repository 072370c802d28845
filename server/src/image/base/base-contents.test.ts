import { buffer } from "node:stream/consumers";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { expect, test } from "vitest";
import { type ReadableLayer, readBaseContents } from "./base-contents.ts";

const { signal } = new AbortController();
const stanza = (name: string, version: string) => `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\n`;
const deb = (name: string, version: string) => ({ kind: "deb", name, version, architecture: "amd64" });

async function layer(
  files: Readonly<Record<string, string>>,
  form: "" | "+gzip" | "+zstd" = "",
): Promise<ReadableLayer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  const plain = await buffer(tar);
  const bytes = form === "+gzip" ? gzipSync(plain) : form === "+zstd" ? zstdCompressSync(plain) : plain;
  return {
    mediaType: `application/vnd.oci.image.layer.v1.tar${form}`,
    async *read() {
      yield bytes;
    },
  };
}

test("a higher layer's list comes in the place of the one below, in every compression", async () => {
  const layers = [
    await layer(
      { "./etc/os-release": "ID=debian\nVERSION_ID=12\n", "./var/lib/dpkg/status": stanza("libc6", "1") },
      "+gzip",
    ),
    await layer(
      { "var/lib/dpkg/status": `${stanza("zlib1g", "3")}\n${stanza("libc6", "2")}`, "usr/bin/x": "x" },
      "+zstd",
    ),
  ];
  expect(await readBaseContents(layers, signal)).toEqual({
    distribution: { id: "debian", version: "12" },
    packages: [deb("libc6", "2"), deb("zlib1g", "3")],
  });
});

test("slim images have a list for each package, and layers can take one away", async () => {
  const first = await layer({
    "var/lib/dpkg/status.d/libc6": stanza("libc6", "1"),
    "var/lib/dpkg/status.d/libc6.md5sums": "Package: wrong\nVersion: 1\n",
    "var/lib/dpkg/status.d/perl": stanza("perl", "5"),
  });
  const second = await layer({ "var/lib/dpkg/status.d/.wh.perl": "" });
  expect((await readBaseContents([first, second], signal)).packages).toEqual([deb("libc6", "1")]);
});

test("a base without such lists has no packages", async () => {
  expect(await readBaseContents([await layer({ "bin/sh": "x" })], signal)).toEqual({
    distribution: null,
    packages: [],
  });
  expect(await readBaseContents([], signal)).toEqual({ distribution: null, packages: [] });
});

test("a damaged layer is an error, not an endless wait", async () => {
  const whole = await layer({ "var/lib/dpkg/status": stanza("libc6", "1").repeat(1000) }, "+gzip");
  const cut: ReadableLayer = {
    ...whole,
    async *read() {
      for await (const bytes of whole.read()) yield bytes.subarray(0, bytes.length / 2);
    },
  };
  await expect(readBaseContents([cut], signal)).rejects.toThrow();
});
