import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { fakeClock, hasFakeClock } from "./test/fake-clock.ts";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";
import { configFile, GatewayProcess } from "./test/gateway-process.ts";
import { signedToken } from "./test/signed-token.ts";

const PATH = "/api/v1/service/digits";
const SCORE = `${PATH}/score`;
const JUMPS = ["+2d", "-2d", "+0d"];
const DAY_MS = 86_400_000;

test.skipIf(!hasFakeClock)("a clock that jumps shortens no wait, prolongs none, and ends no connection", async () => {
  await using fixture = new GatewayFixture();
  const clock = fakeClock(fixture.folder);
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([
    fixture.route("digits", [scorer], { maxConcurrentRequests: 1, maxQueueWaitMs: 500, scoringTimeoutMs: 60_000 }),
  ]);
  await using gateway = new GatewayProcess([configFile(fixture)], clock.env);
  const port = await gateway.ready();
  const kept = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(kept, "secureConnect");

  for (const [round, jump] of JUMPS.entries()) {
    const inWork = fixture.call(SCORE, {}, port);
    await eventually("one in work", () => held.length === round + 1);
    const since = performance.now();
    const waiting = fixture.call(SCORE, {}, port);
    kept.write("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(kept, "data");

    clock.set(jump);

    const refused = await waiting;
    const waitedMs = performance.now() - since;
    expect([refused.status, codeOf(refused)]).toEqual([503, "QueueWaitOver"]);
    expect(waitedMs).toBeGreaterThan(495);
    expect(waitedMs).toBeLessThan(5_000);
    // Node writes a new date once a second.
    await eventually(`the gateway's clock is off by ${jump}`, async () => {
      const { date = "" } = (await fixture.call("/nothing", {}, port)).headers;
      return Math.round((Date.parse(date) - Date.now()) / DAY_MS) === parseInt(jump, 10);
    });
    held[round]?.respond(200, {}, jump);
    expect((await inWork).text).toBe(jump);
    expect(kept.readyState).toBe("open");
  }
  kept.destroy();
});

test.skipIf(!hasFakeClock)("tokens are valid by the wall clock, also after it was set", async () => {
  await using fixture = new GatewayFixture();
  const clock = fakeClock(fixture.folder);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  fixture.writeRoutes([fixture.route("digits", [await fixture.scorer("a1")], { auth: "token" })], {
    ...publicKey.export({ format: "jwk" }),
  });
  await using gateway = new GatewayProcess([configFile(fixture)], clock.env);
  const port = await gateway.ready();
  const token = signedToken(privateKey, { iss: "slipway", aud: PATH, exp: Math.floor(Date.now() / 1000) + 3_600 });
  const status = async () =>
    (await fixture.call(SCORE, { headers: { authorization: `Bearer ${token}` } }, port)).status;

  expect(await status()).toBe(200);
  clock.set("+2h");
  expect(await status()).toBe(401);
  clock.set("+0h");
  expect(await status()).toBe(200);
  clock.set("-2h");
  expect(await status()).toBe(200);
});

test.skipIf(!hasFakeClock)(
  "with a certificate that has expired it serves, and the next one is in force at once",
  async () => {
    await using fixture = new GatewayFixture();
    const clock = fakeClock(fixture.folder);
    clock.set("-10d");
    fixture.makeCertificate("expired", clock.env);
    fixture.writeRoutes([fixture.route("digits", [await fixture.scorer("a1")])]);
    const { port } = await fixture.start();

    await expect(fixture.call(SCORE)).rejects.toThrow("certificate has expired");
    const trustful = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    trustful.write(`POST ${SCORE} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`);
    const [answer] = (await once(trustful, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);

    fixture.makeCertificate("renewed");
    expect((await fixture.control("PUT", "/certificate")).status).toBe(204);
    expect((await fixture.call(SCORE)).status).toBe(200);
  },
);
