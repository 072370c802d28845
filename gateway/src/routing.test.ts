import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { FramedScorer, ScorerRequest } from "./test/framed-scorer.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";

test("a request reaches the replica of its service and comes back", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();

  const answer = await fixture.call(`${SCORE}?verbose=1`, {
    body: '{"data":[1]}',
    headers: {
      "x-request-id": "mine-1",
      "content-type": "application/json",
      authorization: "Bearer secret",
      te: "trailers",
      connection: "keep-alive, x-hop",
      "x-hop": "1",
      "x-mine": "2",
    },
  });

  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.text)).toEqual({ replica: "a1", got: '{"data":[1]}' });
  expect(answer.headers["x-request-id"]).toBe("mine-1");
  expect(scorer.received[0]).toMatchObject({ m: "POST", p: "/score", q: "verbose=1", i: "mine-1", t: 5000 });
  const passed = scorer.received[0]?.h ?? {};
  expect(Object.keys(passed).sort()).toEqual([
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "x-mine",
    "x-request-id",
  ]);
  expect(passed["content-length"]).toBe("12");
});

test("the longest base path wins, and only at a slash", async () => {
  await using fixture = new GatewayFixture();
  const [a, b] = [await fixture.scorer("a1"), await fixture.scorer("b1")];
  fixture.writeRoutes([
    fixture.route("a", [a], { basePath: "/api/v1/service/a" }),
    fixture.route("b", [b], { basePath: "/api/v1/service/a/deep" }),
  ]);
  await fixture.start();
  const seen = async (path: string) => {
    const before = a.received.length;
    const { status } = await fixture.call(path);
    if (status !== 200) return String(status);
    return a.received.length > before ? `a ${a.received.at(-1)?.p}` : `b ${b.received.at(-1)?.p}`;
  };

  expect(await seen("/api/v1/service/a")).toBe("a /");
  expect(await seen("/api/v1/service/a/")).toBe("a /");
  expect(await seen("/api/v1/service/a/swagger.json")).toBe("a /swagger.json");
  expect(await seen("/api/v1/service/a/deep")).toBe("b /");
  expect(await seen("/api/v1/service/a/deep/x/y")).toBe("b /x/y");
  expect(await seen("/api/v1/service/a/deeper")).toBe("a /deeper");
  expect(await seen("/api/v1/service/ab/score")).toBe("404");
  expect(await seen("/api/v1/service")).toBe("404");
  expect(await seen("/".repeat(15_000))).toBe("404");
});

/** Callers that score without a pause; what they got when they stop. */
function loadOn(fixture: GatewayFixture): { readonly stop: () => Promise<{ sent: number; failures: string[] }> } {
  let sent = 0;
  let running = true;
  const failures: string[] = [];
  const caller = async () => {
    while (running) {
      sent += 1;
      const outcome = await fixture
        .call(SCORE, { body: "x" })
        .then(({ status, text }) => (status === 200 ? "" : text), String);
      if (outcome !== "") failures.push(outcome);
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  return {
    stop: async () => {
      running = false;
      await Promise.all(callers);
      return { sent, failures };
    },
  };
}

/** Twelve revisions one after the other under load; `drained` says whether the old one may finish its work first. */
async function switchTwelveTimes(drained: boolean): Promise<{ sent: number; failures: string[]; served: number[] }> {
  await using fixture = new GatewayFixture();
  const slow = ({ respond }: ScorerRequest) => setTimeout(() => respond(200, {}, "ok"), 15);
  let serving: FramedScorer = await fixture.scorer("r0", slow);
  const scorers = [serving];
  fixture.writeRoutes([fixture.route("digits", [serving], { maxQueueWaitMs: 10_000 })]);
  await fixture.start();
  const load = loadOn(fixture);
  for (let revision = 1; revision <= 12; revision += 1) {
    const old = serving;
    serving = await fixture.scorer(`r${revision}`, slow);
    scorers.push(serving);
    fixture.writeRoutes([fixture.route("digits", [serving], { revision, maxQueueWaitMs: 10_000 })]);
    expect((await fixture.control("PUT", "/routes")).status).toBe(200);
    if (drained) {
      const { body } = await fixture.control("GET", `/replicas/${old.replica.id}/in-flight?wait=5000`);
      expect(body).toEqual({ inFlight: 0 });
    }
    await old.kill();
    const now = serving;
    await eventually("the new revision serves", () => now.received.length > 5);
  }
  return { ...(await load.stop()), served: scorers.map(({ received }) => received.length) };
}

test("twelve revisions under load: no request fails when the old replica is drained before it ends", async () => {
  const { sent, failures, served } = await switchTwelveTimes(true);

  expect(failures).toEqual([]);
  expect(served.every((count) => count > 0)).toBe(true);
  expect(served.reduce((sum, count) => sum + count, 0)).toBe(sent);
});

test("the same without the drain loses requests, so the test above can fail", async () => {
  const { failures } = await switchTwelveTimes(false);

  expect(failures.length).toBeGreaterThan(0);
  expect(failures.every((text) => text.includes("ReplicaGone"))).toBe(true);
});

test("new replicas are connected before the switch; the old revision answers meanwhile", async () => {
  await using fixture = new GatewayFixture();
  const old = await fixture.scorer("r0");
  fixture.writeRoutes([fixture.route("digits", [old])]);
  await fixture.start();
  await fixture.connected();
  const late = { replica: { id: "r1", framesSocket: join(fixture.folder, "r1.sock"), nonce: "nonce-r1" } };
  fixture.writeRoutes([fixture.route("digits", [late], { revision: 2 })]);
  const put = fixture.control("PUT", "/routes");

  await eventually("the gateway tries the new replica", () => fixture.logged.some(({ replica }) => replica === "r1"));
  expect((await fixture.call(SCORE)).text).toContain("r0");
  await fixture.scorer("r1");

  expect(await put).toMatchObject({ status: 200, body: { routesVersion: 2, unreachableReplicas: [] } });
  expect((await fixture.call(SCORE)).text).toContain("r1");
});

test("a new replica that never comes does not hold the switch for ever, and is named", async () => {
  await using fixture = new GatewayFixture();
  await fixture.start();
  const missing = { replica: { id: "r1", framesSocket: join(fixture.folder, "r1.sock"), nonce: "n" } };
  fixture.writeRoutes([fixture.route("digits", [missing])]);

  const put = await fixture.control("PUT", "/routes");

  expect(put).toMatchObject({ status: 200, body: { routesVersion: 1, unreachableReplicas: ["r1"] } });
  const later = Date.now();
  fixture.writeRoutes([fixture.route("digits", [missing], { maxBodyBytes: 5 })]);
  expect((await fixture.control("PUT", "/routes")).status).toBe(200);
  expect(Date.now() - later).toBeLessThan(1_900);
});

test("a replica that left the routes is counted until its work is done, then disconnected", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const old = await fixture.scorer("r0", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [old])]);
  await fixture.start();
  const call = fixture.call(SCORE);
  await eventually("in work", () => held.length === 1);
  fixture.writeRoutes([]);
  await fixture.control("PUT", "/routes");

  expect((await fixture.control("GET", "/replicas/r0/in-flight?wait=30")).body).toEqual({ inFlight: 1 });
  const idle = fixture.control("GET", "/replicas/r0/in-flight?wait=10000");
  held[0]?.respond(200, {}, "done");

  expect((await call).text).toBe("done");
  expect((await idle).body).toEqual({ inFlight: 0 });
  await eventually("disconnected", () => old.connections() === 0);
});

test("a replica that comes back before its work is done keeps its connection and its count", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("r0", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  const first = fixture.call(SCORE);
  await eventually("in work", () => held.length === 1);
  for (const services of [[], [fixture.route("digits", [scorer])]]) {
    fixture.writeRoutes(services);
    await fixture.control("PUT", "/routes");
  }

  const second = fixture.call(SCORE);
  await eventually("both in work", () => held.length === 2);

  expect((await fixture.control("GET", "/replicas/r0/in-flight")).body).toEqual({ inFlight: 2 });
  expect(scorer.connections()).toBe(1);
  for (const request of held) request.respond(200, {}, "ok");
  expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
});

const SERVICE = {
  workspace: "default",
  name: "x",
  basePath: "/api/v1/service/x",
  revision: 1,
  auth: "key",
  keyHashes: [{ salt: "00", hash: "ab".repeat(32) }],
  open: false,
  scoringTimeoutMs: 1,
  maxConcurrentRequests: 1,
  maxQueueWaitMs: 0,
  maxBodyBytes: 1,
  replicas: [],
};
const REPLICA = { id: "r", framesSocket: "/s", nonce: "n" };
const routesOf = (...services: unknown[]) => JSON.stringify({ version: 9, tokenKey: {}, services });

test.each([
  ["no JSON", "{", "is not JSON"],
  ["no services", '{"version":9,"tokenKey":{}}', "services"],
  ["a wrong type", routesOf({ ...SERVICE, maxQueueWaitMs: "1" }), "/services/0/maxQueueWaitMs must be integer"],
  ["the same base path twice", routesOf(SERVICE, SERVICE), "/services/1/basePath is there twice"],
  [
    "a base path with a dot-dot",
    routesOf({ ...SERVICE, basePath: "/a/../b/" }),
    "/services/0/basePath is not a plain path",
  ],
  ["no key", routesOf({ ...SERVICE, keyHashes: [] }), "/services/0/keyHashes is empty"],
  ["a short hash", routesOf({ ...SERVICE, keyHashes: [{ salt: "00", hash: "ab" }] }), "hashes of 64 digits"],
  ["an empty salt", routesOf({ ...SERVICE, keyHashes: [{ salt: "", hash: "ab".repeat(32) }] }), "must be hex"],
  ["tokens without a key", routesOf({ ...SERVICE, auth: "token" }), "/tokenKey is not a public key"],
  ["one replica twice", routesOf({ ...SERVICE, replicas: [REPLICA, REPLICA] }), "the id r a second time"],
])("routes with %s are refused and the old ones stay in force", async (_what, text, complaint) => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  fixture.writeRoutesText(text);

  const put = await fixture.control("PUT", "/routes");

  expect(put).toMatchObject({ status: 422, body: { error: { code: "RoutesInvalid" } } });
  expect(JSON.stringify(put.body)).toContain(complaint);
  expect((await fixture.state()).routesVersion).toBe(1);
  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("an older version is refused, the same version changes nothing", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])], {}, 7);
  await fixture.start();

  fixture.writeRoutes([], {}, 6);
  expect(await fixture.control("PUT", "/routes")).toMatchObject({
    status: 409,
    body: { error: { code: "RoutesOutdated" } },
  });
  fixture.writeRoutes([], {}, 7);
  expect(await fixture.control("PUT", "/routes")).toMatchObject({ status: 200, body: { routesVersion: 7 } });

  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("broken routes at the start: 503 until good ones come, never 404", async () => {
  await using fixture = new GatewayFixture();
  fixture.writeRoutesText("{");
  await fixture.start();
  const before = await fixture.call(SCORE);
  expect([before.status, codeOf(before)]).toEqual([503, "RoutesUnreadable"]);

  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  expect((await fixture.control("PUT", "/routes")).status).toBe(200);

  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("routes that vanished are no reason to forget those in force", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  rmSync(join(fixture.folder, "routes.json"));

  expect((await fixture.control("PUT", "/routes")).status).toBe(422);

  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("the control socket refuses what it does not know", async () => {
  await using fixture = new GatewayFixture();
  await fixture.start();

  expect((await fixture.control("DELETE", "/routes")).status).toBe(404);
  expect((await fixture.control("GET", "/replicas/x/in-flight?wait=soon")).status).toBe(400);
  expect((await fixture.control("GET", "/replicas/%ZZ/in-flight")).status).toBe(400);
  expect((await fixture.control("GET", "/replicas/unknown/in-flight?wait=5")).body).toEqual({ inFlight: 0 });
});
