import { expect, test } from "vitest";
import { codeOf, GatewayFixture, keyHash } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";
const PAGE = "https://a.example";

async function started(corsOrigins: string[]) {
  const fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", ({ respond }) =>
    respond(200, { "access-control-allow-origin": "https://of.the.script" }, "[1]"),
  );
  const auth = { auth: "key", keyHashes: [keyHash("secret-key")] } as const;
  fixture.writeRoutes([fixture.route("digits", [scorer], { ...auth, keyHashes: [...auth.keyHashes], corsOrigins })]);
  await fixture.start();
  return { fixture, scorer };
}

const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  },
});

test("a preflight is answered without a key and never reaches the scorer", async () => {
  const { fixture, scorer } = await started([PAGE]);
  await using _fixture = fixture;

  const answer = await fixture.call(SCORE, preflight(PAGE));

  expect(answer.status).toBe(204);
  expect(answer.headers).toMatchObject({
    "access-control-allow-origin": PAGE,
    "access-control-allow-methods": expect.stringContaining("POST"),
    "access-control-allow-headers": "authorization,content-type",
    vary: expect.stringContaining("origin"),
  });
  expect(scorer.received).toHaveLength(0);
});

test("answers and refusals may be read by allowed pages, and by no others", async () => {
  const { fixture } = await started([PAGE]);
  await using _fixture = fixture;
  const allowedBy = async (origin: string, key: string) => {
    const { status, headers } = await fixture.call(SCORE, { headers: { origin, authorization: `Bearer ${key}` } });
    return [status, headers["access-control-allow-origin"]];
  };

  expect(await allowedBy(PAGE, "secret-key")).toEqual([200, PAGE]);
  expect(await allowedBy(PAGE, "wrong-key")).toEqual([401, PAGE]);
  expect(await allowedBy("https://evil.example", "wrong-key")).toEqual([401, undefined]);
  const refused = await fixture.call(SCORE, preflight("https://evil.example"));
  expect([refused.status, codeOf(refused)]).toEqual([403, "OriginNotAllowed"]);
});

test("a star lets every page in", async () => {
  const { fixture } = await started(["*"]);
  await using _fixture = fixture;

  const answer = await fixture.call(SCORE, { headers: { origin: PAGE, authorization: "Bearer secret-key" } });

  expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([200, "*"]);
});

test("OPTIONS that is no preflight needs the key", async () => {
  const { fixture } = await started([PAGE]);
  await using _fixture = fixture;

  expect((await fixture.call(SCORE, { method: "OPTIONS", headers: { origin: PAGE } })).status).toBe(401);
});
