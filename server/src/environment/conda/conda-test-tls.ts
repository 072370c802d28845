import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestChannel } from "./conda-test-channel.ts";

/** The channel behind TLS, with a certificate that only `authorityFile` vouches for, as networks of companies have it. */
export async function serveOverTls(channel: TestChannel) {
  const folder = await mkdtemp(join(tmpdir(), "conda-tls-"));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
  openssl("req", "-x509", ...key, "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority");
  openssl(
    "req",
    ...key,
    "key.pem",
    "-out",
    "request.pem",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
  );
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy"];
  openssl("x509", "-req", "-in", "request.pem", ...signing, "-out", "cert.pem");
  const identity = { key: await readFile(at("key.pem")), cert: await readFile(at("cert.pem")) };
  const server = createServer(identity, (incoming, response) => {
    const { method, headers, url = "" } = incoming;
    const passed = request(new URL(url, channel.address), { ...(method && { method }), headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(passed);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `https://localhost:${(server.address() as AddressInfo).port}${new URL(channel.address).pathname}`,
    authorityFile: at("ca.pem"),
    async close() {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}
