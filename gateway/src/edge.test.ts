import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const PATH = "/api/v1/service/digits";
const SCORE = `${PATH}/score`;

async function started(more: Parameters<GatewayFixture["route"]>[2] = {}) {
  const fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxBodyBytes: 1000, ...more })]);
  await fixture.start();
  return { fixture, scorer };
}

/** Sends bytes as they are and collects what comes until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => socket.write(text));
    let answer = "";
    socket.on("data", (part) => {
      answer += part.toString("latin1");
    });
    socket.on("error", reject).on("close", () => resolve(answer));
  });
}

test("a body over the limit is refused with the limit, announced or not, small or large", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;

  expect((await fixture.call(SCORE, { body: "x".repeat(1000) })).status).toBe(200);
  for (const bytes of [1001, 5_000_000]) {
    const announced = await fixture.call(SCORE, {
      body: "x".repeat(bytes),
      headers: { "content-length": String(bytes) },
    });
    expect([announced.status, codeOf(announced)]).toEqual([413, "BodyTooLarge"]);
    expect(announced.text).toContain("1000 bytes");
    const chunked = await fixture.call(SCORE, { body: "x".repeat(bytes), headers: { "transfer-encoding": "chunked" } });
    expect([chunked.status, codeOf(chunked)]).toEqual([413, "BodyTooLarge"]);
  }
  expect(scorer.received).toHaveLength(1);
});

test("bodies of all services together have a limit, and what is done makes room", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start({ maxBufferedBytes: 10_000 });
  const first = fixture.call(SCORE, { body: "x".repeat(9000) });
  await eventually("the first in work", () => held.length === 1);

  const refused = await fixture.call(SCORE, { body: "x".repeat(2000) });
  held[0]?.respond(200, {}, "done");
  await first;
  const next = fixture.call(SCORE, { body: "x".repeat(9500) });
  await eventually("the next in work", () => held.length === 2);
  held[1]?.respond(200, {}, "done");

  expect([refused.status, codeOf(refused), refused.headers["retry-after"]]).toEqual([503, "GatewayBusy", "1"]);
  expect((await next).status).toBe(200);
});

test("a chunked body within the limit arrives whole", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;

  const answer = await fixture.call(SCORE, { body: "abc", headers: { "transfer-encoding": "chunked" } });

  expect(JSON.parse(answer.text).got).toBe("abc");
  expect(scorer.received[0]?.h["content-length"]).toBe("3");
});

test("a connection is kept after a refusal and serves the next request", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;
  const refused = `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n${"x".repeat(2000)}`;
  const good = `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok`;

  const answers = await raw(fixture.port, refused + good);

  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 413", "HTTP/1.1 200"]);
});

test("who asks before sending the body is told before sending it", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;
  const head = (bytes: number) =>
    `POST ${SCORE} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\nconnection: close\r\n\r\n`;

  expect(await raw(fixture.port, head(5000))).toMatch(/^HTTP\/1\.1 413/);
  expect(await raw(fixture.port, `${head(2)}ok`)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
});

test.each([
  [
    "two lengths of one body",
    `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["two content-lengths", `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
  [
    "an obscured transfer-encoding",
    `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  ],
  ["a space before the colon", `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length : 5\r\n\r\nhello`],
  ["no HTTP", "hello\r\n\r\n"],
])("a request with %s is refused and the connection closed", async (_what, text) => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;
  const smuggled = `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\ny`;

  const answer = await raw(fixture.port, text + smuggled);

  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 400"]);
  expect(scorer.received).toHaveLength(0);
});

test("a head that is too long is refused by name", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;

  const answer = await raw(fixture.port, `GET ${SCORE} HTTP/1.1\r\nhost: x\r\nx-long: ${"x".repeat(40_000)}\r\n\r\n`);

  expect(answer).toMatch(/^HTTP\/1\.1 431 [\s\S]*HeadTooLarge/);
});

test("methods: HEAD has no body, OPTIONS is passed on, TRACE is refused", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;

  const head = await fixture.call(`${PATH}/swagger.json`, { method: "HEAD" });
  const options = await fixture.call(SCORE, { method: "OPTIONS" });
  const trace = await fixture.call(SCORE, { method: "TRACE" });

  expect([head.status, head.text]).toEqual([200, ""]);
  expect(Number(head.headers["content-length"])).toBeGreaterThan(0);
  expect(options.status).toBe(200);
  expect(scorer.received.map(({ m }) => m)).toEqual(["HEAD", "OPTIONS"]);
  expect([trace.status, codeOf(trace)]).toEqual([405, "MethodNotAllowed"]);
});

test("an absolute request target is taken like a path, another one refused", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;
  const get = (target: string) => raw(fixture.port, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);

  expect(await get(`https://elsewhere:1/${SCORE.slice(1)}?a=1`)).toMatch(/^HTTP\/1\.1 200/);
  expect(scorer.received[0]).toMatchObject({ p: "/score", q: "a=1" });
  expect(await get("https://elsewhere")).toMatch(/^HTTP\/1\.1 400 [\s\S]*BadRequestTarget/);
});

test("refusals on paths of the Open Inference Protocol have a text as their error", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;
  const body = "x".repeat(1001);
  for (const path of [`${PATH}/v2/models/m/infer`, "/w/other/api/v1/service/none/v2?x"]) {
    const { text } = await fixture.call(path, { body });
    expect(JSON.parse(text), path).toMatchObject({ error: expect.any(String), code: expect.any(String) });
  }
  expect(codeOf(await fixture.call(`${PATH}/v2x`, { body }))).toBe("BodyTooLarge");
});

test("an unusable request id is replaced by a new one", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;

  const answer = await fixture.call(SCORE, { headers: { "x-request-id": 'a" onload="x' } });

  expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(scorer.received[0]?.h["x-request-id"]).toBe(answer.headers["x-request-id"]);
});

/** Who the gateway says it is in a new handshake. */
function presented(port: number, servername?: string): Promise<string | undefined> {
  const asked = { host: "127.0.0.1", port, rejectUnauthorized: false, ...(servername !== undefined && { servername }) };
  return new Promise((resolve, reject) => {
    const socket = connectTls(asked, () => {
      const { subject }: Partial<PeerCertificate> = socket.getPeerCertificate();
      socket.destroy();
      resolve(Array.isArray(subject?.O) ? subject.O[0] : subject?.O);
    });
    socket.on("error", reject);
  });
}

test("a new certificate is in force for new connections at once, a bad one never", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;
  expect(await presented(fixture.port)).toBe("first");

  fixture.makeCertificate("second");
  expect((await fixture.control("PUT", "/certificate")).status).toBe(204);
  expect(await presented(fixture.port)).toBe("second");

  writeFileSync(fixture.config.keyFile, "no key");
  expect(await fixture.control("PUT", "/certificate")).toMatchObject({
    status: 422,
    body: { error: { code: "CertificateUnusable" } },
  });
  expect(await presented(fixture.port)).toBe("second");
  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("callers that ask for a name get the certificate for names, also after it was replaced", async () => {
  await using fixture = new GatewayFixture();
  const nameCertificateFile = join(fixture.folder, "names.pem");
  const makeForNames = (organization: string) => {
    fixture.makeCertificate(organization);
    const { certificateFile, keyFile } = fixture.config;
    writeFileSync(nameCertificateFile, readFileSync(certificateFile, "utf8") + readFileSync(keyFile, "utf8"));
    fixture.makeCertificate("addresses");
  };
  makeForNames("names");
  await fixture.start({ nameCertificateFile });
  expect(await presented(fixture.port)).toBe("addresses");
  expect(await presented(fixture.port, "localhost")).toBe("names");

  makeForNames("new names");
  expect((await fixture.control("PUT", "/certificate")).status).toBe(204);
  expect(await presented(fixture.port, "localhost")).toBe("new names");
  writeFileSync(nameCertificateFile, "none");
  expect((await fixture.control("PUT", "/certificate")).status).toBe(422);
  expect(await presented(fixture.port, "localhost")).toBe("new names");
});

test("replaced certificate files are noticed without a word", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;

  fixture.makeCertificate("third");

  await eventually("the new certificate", async () => (await presented(fixture.port)) === "third", 15_000);
});

test("the first answer of a connection does not wait for the caller's delayed acknowledgement", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;

  // Linux acknowledges after 40 ms at the earliest when it delays. One connection that is quicker is proof enough; a machine
  // with other work may need some attempts.
  let quickestMs = Number.POSITIVE_INFINITY;
  for (let connection = 0; connection < 25 && quickestMs >= 35; connection += 1) {
    quickestMs = Math.min(quickestMs, await firstAnswerMs(fixture.port));
  }
  expect(quickestMs).toBeLessThan(35);
});

/** From the request, sent when the handshake is done, to the first byte of its answer. */
async function firstAnswerMs(port: number): Promise<number> {
  const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const since = performance.now();
  socket.write(`POST ${SCORE} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}`);
  await once(socket, "data");
  socket.destroy();
  return performance.now() - since;
}
