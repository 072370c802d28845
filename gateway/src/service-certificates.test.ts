import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type PeerCertificate } from "node:tls";
import { expect, test } from "vitest";
import { GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";

/** A PEM file with a key and a certificate for a host, in the gateway's folder of certificates. */
function makePem(fixture: GatewayFixture, file: string, organization: string, host: string, days = 90): void {
  const folder = join(fixture.folder, "certificates");
  mkdirSync(folder, { recursive: true });
  const [key, cert] = [join(fixture.folder, "k.pem"), join(fixture.folder, "c.pem")];
  const subject = ["-subj", `/O=${organization}/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
  const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  execFileSync("openssl", ["req", "-x509", "-days", String(days), ...subject, ...keys, "-out", cert], {
    stdio: "pipe",
  });
  writeFileSync(join(folder, file), readFileSync(key, "utf8") + readFileSync(cert, "utf8"));
}

/** Whose certificate a caller gets who asks for this host. */
function presented(port: number, servername: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername, rejectUnauthorized: false }, () => {
      const { subject }: Partial<PeerCertificate> = socket.getPeerCertificate();
      socket.destroy();
      resolve(Array.isArray(subject?.O) ? subject.O[0] : subject?.O);
    });
    socket.on("error", reject);
  });
}

test("a service's own host has its own certificate; new ones are in force at once, open connections stay", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  makePem(fixture, "one.pem", "one", "digits.example");
  makePem(fixture, "two.pem", "two", "digits.example");
  const withFile = (file: string) =>
    fixture.route("digits", [scorer], { certificate: { file, hosts: ["digits.example"] } });
  fixture.writeRoutes([withFile("one.pem")]);
  await fixture.start();

  expect(await presented(fixture.port, "digits.example")).toBe("one");
  expect(await presented(fixture.port, "DIGITS.example")).toBe("one");
  expect(await presented(fixture.port, "localhost")).toBe("first");
  expect((await fixture.call(SCORE)).status).toBe(200);

  fixture.writeRoutes([withFile("two.pem")]);
  await fixture.control("PUT", "/routes");
  expect(await presented(fixture.port, "digits.example")).toBe("two");

  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.control("PUT", "/routes");
  expect(await presented(fixture.port, "digits.example")).toBe("first");
});

test("a file that is missing or broken is logged and costs nothing but its host", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  makePem(fixture, "good.pem", "good", "good.example");
  writeFileSync(join(fixture.folder, "certificates", "broken.pem"), "no PEM");
  fixture.writeRoutes([
    fixture.route("digits", [scorer], { certificate: { file: "missing.pem", hosts: ["digits.example"] } }),
    fixture.route("two", [], { certificate: { file: "broken.pem", hosts: ["two.example"] } }),
    fixture.route("good", [], { certificate: { file: "good.pem", hosts: ["good.example"] } }),
  ]);
  await fixture.start();

  expect(await presented(fixture.port, "digits.example")).toBe("first");
  expect(await presented(fixture.port, "two.example")).toBe("first");
  expect(await presented(fixture.port, "good.example")).toBe("good");
  expect((await fixture.call(SCORE)).status).toBe(200);
  const unusable = fixture.logged.filter(({ message }) => message === "certificate of a service unusable");
  expect(unusable.map(({ service }) => service)).toEqual(["digits", "two"]);
});

test("an end that is near is told", async () => {
  await using fixture = new GatewayFixture();
  makePem(fixture, "short.pem", "short", "short.example", 3);
  fixture.writeRoutes([fixture.route("short", [], { certificate: { file: "short.pem", hosts: ["short.example"] } })]);
  await fixture.start();

  expect(fixture.logged).toContainEqual(
    expect.objectContaining({ level: "warn", message: "certificate of a service expires soon", file: "short.pem" }),
  );
});

test("a file name cannot lead out of its folder", async () => {
  await using fixture = new GatewayFixture();
  fixture.writeRoutes([fixture.route("digits", [])]);
  await fixture.start();
  fixture.writeRoutes([fixture.route("digits", [], { certificate: { file: "../tls.pem", hosts: [] } })]);

  expect(await fixture.control("PUT", "/routes")).toMatchObject({
    status: 422,
    body: { error: { code: "RoutesInvalid" } },
  });
});
