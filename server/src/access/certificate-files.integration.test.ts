import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { silentLog } from "../platform/log.ts";
import { createSecretBox } from "../secret/index.ts";
import { createAuthority, issueCertificate, readCertificate } from "./certificate-authority.ts";
import { createCertificateFiles } from "./certificate-files.ts";

const run = promisify(execFile);
const box = createSecretBox(randomBytes(32));
const hosts = ["localhost", "127.0.0.1", "::1", "models.example.org"];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-tls-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Python with VERIFY_X509_STRICT is the strictest reader there is; the mistakes it finds pass in Node and curl. */
async function strictPython(caFile: string, port: number, host: string): Promise<string> {
  const script = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as raw:
    try:
        with context.wrap_socket(raw, server_hostname=sys.argv[3]) as tls: print("ok", tls.version())
    except ssl.SSLError as error: print("refused", error)
`;
  return (await run("python3", ["-c", script, caFile, String(port), host])).stdout;
}

async function serving(pair: { cert: string; key: string }, check: (port: number) => Promise<void>): Promise<void> {
  const server = createServer(pair, (_request, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await check((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

test("strict Python accepts the certificate for every host, by name and address", async () => {
  const files = createCertificateFiles({
    folder,
    hosts,
    secrets: box,
    clock: { now: () => new Date() },
    log: silentLog,
  });
  expect(await files.ensure()).toBe(true);
  expect(await files.ensure()).toBe(false);
  const named = await readFile(files.files.nameCertificateFile, "utf8");
  // A gRPC client refuses one with addresses: BoringSSL does not know how a CA is constrained to them.
  expect(readCertificate(named).hosts).toEqual(["localhost", "models.example.org"]);
  await serving({ cert: named, key: named }, async (port) => {
    expect(await strictPython(files.files.caFile, port, "localhost")).toMatch(/^ok/);
    expect(await strictPython(files.files.caFile, port, "127.0.0.1")).toMatch(/^refused/);
  });
  await serving(await files.read(), async (port) => {
    for (const host of hosts) expect(await strictPython(files.files.caFile, port, host)).toMatch(/^ok/);
    expect(await strictPython(files.files.caFile, port, "elsewhere.example.org")).toMatch(/^refused/);
  });
});

test("the CA cannot vouch for a name it was not made for", async () => {
  const now = new Date();
  const authority = await createAuthority(["localhost", "127.0.0.1"], now);
  const forged = await issueCertificate(authority, ["bank.example.org"], now);
  const caFile = join(folder, "forged-ca.pem");
  await (await import("node:fs/promises")).writeFile(caFile, authority.certificate);
  await serving({ cert: forged.certificate, key: forged.key }, async (port) => {
    expect(await strictPython(caFile, port, "bank.example.org")).toMatch(/permitted subtree violation/);
  });
});

test("a leaf is renewed under the same CA when a third of its life is left", async () => {
  const clock = manualClock();
  const own = join(folder, "renewal");
  const files = createCertificateFiles({ folder: own, hosts, secrets: box, clock, log: silentLog });
  await files.ensure();
  const [ca, leaf] = await Promise.all([
    readFile(files.files.caFile, "utf8"),
    readFile(files.files.certificateFile, "utf8"),
  ]);
  clock.advance(21 * 86_400_000);
  expect(await files.ensure()).toBe(true);
  expect(await readFile(files.files.caFile, "utf8")).toBe(ca);
  expect(await readFile(files.files.certificateFile, "utf8")).not.toBe(leaf);
});

test.each([
  ["a leaf from before the clock was set back is replaced under the same CA", -2, true],
  ["a CA from before a clock was set forward by years is replaced", 3_640, false],
  ["a CA that was made when the clock stood in the future is replaced", -400, false],
])("%s", async (_, days, keepsCa) => {
  const clock = manualClock();
  const files = createCertificateFiles({
    folder: join(folder, `jump-${days}`),
    hosts,
    secrets: box,
    clock,
    log: silentLog,
  });
  await files.ensure();
  const [ca, leaf] = await Promise.all([
    readFile(files.files.caFile, "utf8"),
    readFile(files.files.certificateFile, "utf8"),
  ]);

  clock.advance(days * 86_400_000);

  expect(await files.ensure()).toBe(true);
  expect((await readFile(files.files.caFile, "utf8")) === ca).toBe(keepsCa);
  const next = await readFile(files.files.certificateFile, "utf8");
  expect(next).not.toBe(leaf);
  for (const pem of [next, await readFile(files.files.caFile, "utf8")]) {
    expect(readCertificate(pem).notBefore.getTime()).toBeLessThan(clock.now().getTime());
    expect(readCertificate(pem).notAfter.getTime()).toBeGreaterThan(clock.now().getTime());
  }
  expect(await files.ensure()).toBe(false);
});

test("other hosts make a new CA", async () => {
  const own = join(folder, "hosts");
  const make = (names: string[]) =>
    createCertificateFiles({ folder: own, hosts: names, secrets: box, clock: manualClock(), log: silentLog });
  await make(["localhost"]).ensure();
  const before = await readFile(join(own, "ca.pem"), "utf8");
  expect(await make(["localhost", "host.example.org"]).ensure()).toBe(true);
  expect(await readFile(join(own, "ca.pem"), "utf8")).not.toBe(before);
});
