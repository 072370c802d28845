import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { crc32, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";

/** What builders of conda packages write where the final prefix goes: as long as any prefix may be. */
export const PREFIX_PLACEHOLDER = `/opt/${"placeholder_".repeat(21)}`.slice(0, 255);

export interface TestFile {
  readonly content: string | Buffer;
  readonly executable?: boolean;
  /** {@link PREFIX_PLACEHOLDER} in it is to be replaced, as text or in a program */
  readonly prefix?: "text" | "binary";
}

export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly build?: string;
  readonly subdir?: string;
  readonly depends?: readonly string[];
  readonly constrains?: readonly string[];
  readonly noarch?: "python" | "generic";
  readonly entryPoints?: readonly string[];
  readonly files?: Readonly<Record<string, string | TestFile>>;
  /** link → where it points to */
  readonly links?: Readonly<Record<string, string>>;
  /** members of the archive that are not listed in it, as a hostile packer would add them */
  readonly hidden?: readonly { readonly name: string; readonly content?: string; readonly link?: string }[];
  readonly format?: "conda" | "tar.bz2";
  /** what the package says of itself instead of the truth */
  readonly inside?: Readonly<Record<string, unknown>>;
  /** what repodata says instead of the truth */
  readonly lies?: Readonly<Record<string, unknown>>;
}

export interface TestChannel {
  readonly address: string;
  /** paths that were asked for */
  readonly requests: readonly string[];
  /** answers instead of the channel's own; undefined passes on */
  intercept(handler: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined): void;
  close(): Promise<void>;
}

type Archive = { readonly file: string; readonly subdir: string; readonly bytes: Buffer; readonly record: object };

/** A real conda channel on loopback: packages in both formats, `repodata.json` and `repodata.json.zst` with entity tags. */
export async function serveTestChannel(packages: readonly TestPackage[], name = "test-channel"): Promise<TestChannel> {
  const archives = await Promise.all(packages.map(archive));
  const files = new Map<string, Buffer>();
  for (const subdir of new Set(["noarch", "linux-64", "linux-aarch64", ...archives.map((one) => one.subdir)])) {
    const here = archives.filter((one) => one.subdir === subdir);
    const of = (suffix: string) =>
      Object.fromEntries(here.filter(({ file }) => file.endsWith(suffix)).map(({ file, record }) => [file, record]));
    const repodata = {
      info: { subdir },
      packages: of(".tar.bz2"),
      "packages.conda": of(".conda"),
      repodata_version: 1,
    };
    const json = Buffer.from(JSON.stringify(repodata));
    files.set(`${subdir}/repodata.json`, json);
    files.set(`${subdir}/repodata.json.zst`, zstdCompressSync(json));
    for (const { file, bytes } of here) files.set(`${subdir}/${file}`, bytes);
  }
  const requests: string[] = [];
  let handler: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    if (handler?.(request, response) === true) return;
    const content = files.get((request.url ?? "").slice(`/${name}/`.length));
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const tag = `"${createHash("sha256").update(content).digest("hex").slice(0, 16)}"`;
    if (request.headers["if-none-match"] === tag) response.writeHead(304, { etag: tag }).end();
    else response.writeHead(200, { etag: tag, "content-length": content.length }).end(content);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`,
    requests,
    intercept: (next) => {
      handler = next;
    },
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function archive(spec: TestPackage): Promise<Archive> {
  const { name, version, build = "0", noarch, format = "conda", depends = [], constrains = [] } = spec;
  const subdir = spec.subdir ?? (noarch === undefined ? "linux-64" : "noarch");
  const index = { name, version, build, build_number: 0, depends, constrains, subdir, ...(noarch && { noarch }) };
  const contents = Object.entries(spec.files ?? {}).map(([path, file]) => {
    const { content, ...rest } = typeof file === "string" ? { content: file } : file;
    return { path, content: Buffer.from(content), ...rest };
  });
  const links = Object.entries(spec.links ?? {});
  const paths = [
    ...contents.map(({ path, content, prefix }) => ({
      _path: path,
      path_type: "hardlink",
      sha256: createHash("sha256").update(content).digest("hex"),
      size_in_bytes: content.length,
      ...(prefix && { file_mode: prefix, prefix_placeholder: PREFIX_PLACEHOLDER }),
    })),
    ...links.map(([path]) => ({ _path: path, path_type: "softlink" })),
  ];
  const info = [
    ["info/index.json", { ...index, ...spec.inside }],
    ["info/paths.json", { paths, paths_version: 1 }],
    ...(noarch === "python"
      ? [
          [
            "info/link.json",
            { noarch: { type: "python", entry_points: spec.entryPoints ?? [] }, package_metadata_version: 1 },
          ],
        ]
      : []),
  ] as const;
  const stem = `${name}-${version}-${build}`;
  const infoMembers = info.map(([path, value]) => ({
    name: String(path),
    content: Buffer.from(JSON.stringify(value)),
  }));
  const members = [
    ...contents.map(({ path, content, executable }) => ({ name: path, content, mode: executable ? 0o755 : 0o644 })),
    ...links.map(([path, link]) => ({ name: path, link })),
    ...(spec.hidden ?? []),
  ];
  const bytes =
    format === "conda"
      ? zip([
          ["metadata.json", Buffer.from('{"conda_pkg_format_version": 2}')],
          [`pkg-${stem}.tar.zst`, zstdCompressSync(await tar(members))],
          [`info-${stem}.tar.zst`, zstdCompressSync(await tar(infoMembers))],
        ])
      : bzip2(await tar([...infoMembers, ...members]));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const md5 = createHash("md5").update(bytes).digest("hex");
  return {
    file: `${stem}.${format}`,
    subdir,
    bytes,
    record: { ...index, sha256, md5, size: bytes.length, ...spec.lies },
  };
}

type Member = {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
};

async function tar(members: readonly Member[]): Promise<Buffer> {
  const stream = pack();
  const whole = buffer(stream);
  for (const { name, content = "", link, mode = 0o644 } of members) {
    if (link === undefined) stream.entry({ name, mode }, Buffer.from(content));
    else stream.entry({ name, type: "symlink", linkname: link });
  }
  stream.finalize();
  return whole;
}

/** Node has no bzip2; every Python has. */
function bzip2(content: Buffer): Buffer {
  const program = "import bz2, sys; sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read(), 1))";
  const { status, stdout } = spawnSync("python3", ["-c", program], { input: content, maxBuffer: 1024 ** 3 });
  if (status !== 0) throw new Error("Python could not compress the package.");
  return stdout;
}

/** A ZIP archive whose members are stored as they are, as the format of `.conda` files has it. */
function zip(members: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of members) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, tail, Buffer.from(name));
    parts.push(local, content);
    offset += local.length + content.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
