import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkCertificate } from "./service-certificate.ts";
import { makeCertificate } from "./test/make-certificate.ts";
import { type ControlPlane, createServiceFixture, MMS } from "./test/service-fixture.ts";

const own = makeCertificate("digits.example");
const other = makeCertificate("digits.example");
const cname = "digits.example";

describe("a certificate is checked before anything is done with it", () => {
  const now = new Date();

  it("is taken with a chain behind it and text around it", () => {
    const certificate = `Bag Attributes\n${own.certificate}\n${other.certificate}`;
    const checked = checkCertificate({ certificate, key: own.key, cname: "Digits.Example" }, now);
    expect(checked).toMatchObject({ cname, expiresAt: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(checked.certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(checked.certificate).not.toContain("Bag");
  });

  it.each([
    ["no certificate", { key: own.key, cname }, "CertificateIncomplete", "sslCertificate is missing"],
    ["no key", { certificate: own.certificate, cname }, "CertificateIncomplete", "sslKey is missing"],
    ["no name", { certificate: own.certificate, key: own.key }, "CertificateIncomplete", "cname is missing"],
    ["a path as name", { ...own, cname: "../x" }, "CertificateUnusable", "no host name"],
    ["no PEM", { ...own, certificate: "hello", cname }, "CertificateUnusable", "no PEM text"],
    [
      "a damaged certificate",
      { ...own, certificate: own.certificate.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"), cname },
      "CertificateUnusable",
      "part 1 cannot be read",
    ],
    ["a certificate as key", { ...own, key: own.certificate, cname }, "CertificateUnusable", "no private key"],
    [
      "a key with a password",
      { ...makeCertificate(cname, "secret"), cname },
      "CertificateUnusable",
      "without a password",
    ],
    ["another's key", { ...own, key: other.key, cname }, "CertificateUnusable", "key of another certificate"],
    ["another host's name", { ...own, cname: "other.example" }, "CertificateUnusable", "for DNS:digits.example"],
  ])("with %s it is refused", (_what, requested, code, text) => {
    expect(() => checkCertificate(requested, now)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(text) }),
    );
  });

  it("after its end it is refused", () => {
    const later = new Date(now.getTime() + 91 * 86_400_000);
    expect(() => checkCertificate({ ...own, cname }, later)).toThrow(
      expect.objectContaining({ code: "CertificateExpired" }),
    );
  });
});

describe("a service with a certificate of its own", () => {
  let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
  let plane: ControlPlane;

  beforeEach(async () => {
    fixture = await createServiceFixture();
    plane = fixture.controlPlane();
    await plane.runner.start();
  });
  afterEach(() => fixture.close());

  const ssl = { sslEnabled: true, sslCertificate: own.certificate, sslKey: own.key, cname };

  async function send(method: "POST" | "PATCH" | "GET", path: string, body?: unknown) {
    const headers = { "content-type": method === "PATCH" ? "application/json-patch+json" : "application/json" };
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
    const answer = await plane.app.inject({ method, url: `${MMS}${path}`, headers, ...payload });
    return { status: answer.statusCode, body: answer.body === "" ? undefined : answer.json() };
  }

  async function deploy(name: string, more: object = ssl) {
    const imageId = await fixture.imageOf(plane, "image");
    const answer = await send("POST", "/services", { name, computeType: "ACI", imageId, ...more });
    if (answer.status === 202) await plane.settled(name);
    return answer;
  }

  async function patch(changes: Readonly<Record<string, unknown>>) {
    const operations = Object.entries(changes).map(([path, value]) => ({ op: "replace", path: `/${path}`, value }));
    const answer = await send("PATCH", "/services/digits", operations);
    if (answer.status === 202) await plane.settled("digits");
    return answer;
  }

  const folder = () => join(dirname(fixture.gateway.routesFile), "certificates");
  const route = () => fixture.gateway.route("digits")?.certificate;

  it("has its name in the address, its file with the gateway, and its key nowhere else", async () => {
    await deploy("digits");
    const { body } = await send("GET", "/services/digits");
    expect(body).toMatchObject({
      scoringUri: "https://digits.example:8444/api/v1/service/digits/score",
      sslEnabled: true,
      sslCertificate: own.certificate,
      sslKey: null,
      cname,
      properties: { "slipway.certificateExpires": expect.stringMatching(/^\d{4}-/) },
    });
    expect(route()).toEqual({ file: expect.stringMatching(/^[0-9a-f]{32}\.pem$/), hosts: [cname] });
    const file = join(folder(), route()?.file ?? "");
    expect(await readFile(file, "utf8")).toBe(own.key + own.certificate);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const rows = JSON.stringify(await fixture.database.selectFrom("service_certificate").selectAll().execute());
    expect(rows).not.toContain("PRIVATE KEY");
  });

  it("is given a new one without a new revision; the old file goes", async () => {
    await deploy("digits");
    const before = route()?.file;
    expect((await patch({ sslCertificate: other.certificate, sslKey: other.key })).status).toBe(202);
    expect(route()?.file).not.toBe(before);
    expect(await readdir(folder())).toEqual([route()?.file]);
    expect(fixture.gateway.route("digits")?.revision).toBe(1);
    const wrong = await patch({ sslCertificate: own.certificate });
    expect([wrong.status, wrong.body.message]).toEqual([400, expect.stringContaining("key of another certificate")]);
    expect(route()?.file).not.toBe(before);
  });

  it("loses it when it is switched off, and by deletion", async () => {
    await deploy("digits");
    await patch({ sslEnabled: false });
    expect(route()).toBeUndefined();
    expect(await readdir(folder())).toEqual([]);
    const { body } = await send("GET", "/services/digits");
    expect(body).toMatchObject({ sslEnabled: false, scoringUri: "https://localhost:8444/api/v1/service/digits/score" });
    expect((await patch({ sslEnabled: true })).body.message).toContain("sslCertificate is missing");
  });

  it("shares its name with services that have the same one, and with no others", async () => {
    await deploy("digits");
    expect((await deploy("twins")).status).toBe(202);
    const taken = await deploy("stranger", { ...ssl, sslCertificate: other.certificate, sslKey: other.key });
    expect([taken.status, taken.body.message]).toEqual([409, expect.stringMatching(/with service (digits|twins)/)]);
    const objection = await send("POST", "/services/validate", {
      type: "Create",
      serviceName: "stranger",
      createRequest: { name: "stranger", computeType: "ACI", imageId: "image:1", ...ssl, sslKey: other.key },
    });
    expect(objection.body.error.message).toContain("key of another certificate");
  });
});
