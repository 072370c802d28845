import { createServer } from "node:http";
import { join } from "node:path";
import { prometheusText } from "@slipway/api";
import { expect, test } from "vitest";
import { mayReadMetrics } from "./metrics-handler.ts";
import { metricsKey } from "./metrics-key.ts";
import { MAX_REVISIONS, ServiceMetrics } from "./service-metrics.ts";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { eventually, GatewayFixture, keyHash } from "./test/gateway-fixture.ts";
import { http2Caller, message } from "./test/http2-caller.ts";

const SCORE = "/api/v1/service/digits/score";
const DIGITS = 'workspace="default",service="digits"';

/** The values of all series, by name and labels as they are written. */
async function series(fixture: GatewayFixture): Promise<Map<string, number>> {
  const { status, headers, text } = await fixture.call("/metrics", { method: "GET" });
  expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

test("requests are counted by what became of them, with revision and duration", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", ({ head, respond, stream, end, die }) => {
    if (head.q === "fail") respond(424, {}, "no");
    else if (head.q === "die") die();
    else if (head.q === "break") {
      stream(200, {}, "part");
      end("it broke");
    } else respond(200, {}, "yes");
  });
  fixture.writeRoutes([fixture.route("digits", [scorer], { revision: 3 })]);
  await fixture.start();
  await fixture.connected();

  for (let n = 0; n < 3; n += 1) await fixture.call(SCORE);
  await fixture.call(`${SCORE}?fail`);
  await expect(fixture.call(`${SCORE}?break`)).rejects.toThrow();
  await fixture.call(`${SCORE}?die`);
  await fixture.call("/nowhere");

  const values = await series(fixture);
  const requests = (status: string) => values.get(`slipway_requests_total{${DIGITS},revision="3",status="${status}"}`);
  expect([requests("200"), requests("424"), requests("broken")]).toEqual([3, 2, 1]);
  const duration = `slipway_request_duration_seconds_`;
  expect(values.get(`${duration}count{${DIGITS},revision="3"}`)).toBe(6);
  expect(values.get(`${duration}bucket{${DIGITS},revision="3",le="+Inf"}`)).toBe(6);
  expect(values.get(`${duration}bucket{${DIGITS},revision="3",le="60"}`)).toBe(6);
  expect(values.get(`${duration}sum{${DIGITS},revision="3"}`)).toBeGreaterThan(0);
  expect(values.get(`slipway_refusals_total{${DIGITS},reason="ReplicaGone"}`)).toBe(1);
  expect(values.get('slipway_refusals_total{workspace="",service="",reason="ServiceNotFound"}')).toBe(1);
  expect(values.get(`slipway_service_revision{${DIGITS}}`)).toBe(3);
});

test("what waits and what is in work is told, and who went away", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxConcurrentRequests: 1 })]);
  await fixture.start();
  await fixture.connected();
  const gone = new AbortController();
  const calls = [fixture.call(SCORE), fixture.call(SCORE, { signal: gone.signal })];
  calls[1]?.catch(() => {});
  await eventually("one waits", async () => (await series(fixture)).get(`slipway_requests_queued{${DIGITS}}`) === 1);

  expect((await series(fixture)).get(`slipway_requests_in_flight{${DIGITS}}`)).toBe(1);
  expect((await fixture.control("GET", "/signals")).body).toMatchObject([
    { basePath: "/api/v1/service/digits", revision: 1, inFlight: 1, queued: 1, idleMs: 0 },
  ]);
  gone.abort();
  await eventually("it is counted", async () =>
    (await series(fixture)).has(`slipway_requests_total{${DIGITS},revision="1",status="canceled"}`),
  );
  held[0]?.respond(200, {}, "done");
  await calls[0];
  const values = await series(fixture);
  expect(values.get(`slipway_requests_in_flight{${DIGITS}}`)).toBe(0);
  expect(values.get(`slipway_replicas{${DIGITS}}`)).toBe(1);
  expect(values.get(`slipway_replicas_connected{${DIGITS}}`)).toBe(1);
});

test("load is averaged each second, for decisions about replicas", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", () => {});
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  await fixture.connected();
  const gone = new AbortController();
  fixture.call(SCORE, { signal: gone.signal }).catch(() => {});
  const loads = async () => ((await fixture.control("GET", "/signals")).body as { loads: number[] }[])[0]?.loads ?? [];

  await eventually("a whole second with one request", async () => (await loads()).at(-1) === 1);
  gone.abort();
  await eventually("a whole second without", async () => (await loads()).at(-1) === 0);
});

test("replicas are asked for their workers and batches; strangers and silent ones are left out", async () => {
  await using fixture = new GatewayFixture();
  const scorers = [await fixture.scorer("a1"), await fixture.scorer("a2"), await fixture.scorer("a3")];
  const worker = { pid: 1, phase: "ready", restarts: 2, memoryBytes: 1000 };
  const states = scorers.map(({ replica }, index) => {
    const httpSocket = join(fixture.folder, `${replica.id}.http`);
    const server = createServer((request, response) => {
      if (request.url !== "/_slipway/state" || index === 2) {
        response.destroy();
        return;
      }
      response.end(
        JSON.stringify({
          replicaId: replica.id,
          nonce: index === 1 ? "another" : replica.nonce,
          pid: 1,
          phase: "ready",
          workers: [worker, { ...worker, phase: "starting" }],
          inFlight: 0,
          batches: { count: 4, sum: 10 },
          timings: {},
        }),
      );
    });
    return { httpSocket, server };
  });
  for (const { server, httpSocket } of states) await new Promise<void>((done) => server.listen(httpSocket, done));
  const replicas = scorers.map(({ replica }, index) => ({ ...replica, httpSocket: states[index]?.httpSocket ?? "" }));
  fixture.writeRoutes([fixture.route("digits", [], { replicas })]);
  await fixture.start();

  const values = await series(fixture);

  const labels = `{${DIGITS},revision="1",replica="a1"}`;
  expect(values.get(`slipway_workers${labels}`)).toBe(1);
  expect(values.get(`slipway_memory_bytes${labels}`)).toBe(2000);
  expect(values.get(`slipway_worker_restarts_total${labels}`)).toBe(4);
  expect([values.get(`slipway_batch_size_sum${labels}`), values.get(`slipway_batch_size_count${labels}`)]).toEqual([
    10, 4,
  ]);
  expect([...values.keys()].filter((key) => key.startsWith("slipway_workers"))).toHaveLength(1);
  for (const { server } of states) server.close();
});

test("refusals before a request is let in, and gRPC, count as well", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", ({ respond }) => respond(200, { "grpc-status": "0" }, ""));
  fixture.writeRoutes([fixture.route("digits", [scorer], { auth: "key", keyHashes: [keyHash("secret-key")] })]);
  await fixture.start();
  await fixture.connected();
  using caller = http2Caller(fixture.port);

  await fixture.call(SCORE);
  await caller.grpc({ "x-slipway-service": "digits" }, message("x"));
  await caller.grpc({ "x-slipway-service": "digits", authorization: "Bearer secret-key" }, message("x"));

  const values = await series(fixture);
  expect(values.get(`slipway_refusals_total{${DIGITS},reason="CredentialMissing"}`)).toBe(2);
  expect(values.get(`slipway_requests_total{${DIGITS},revision="1",status="200"}`)).toBe(1);
});

test("another machine needs the key, which survives a restart", async () => {
  await using fixture = new GatewayFixture();
  const key = await metricsKey(fixture.folder);

  expect(await metricsKey(fixture.folder)).toBe(key);
  expect(key).toMatch(/^[\w-]{43}$/);
  expect(mayReadMetrics(key, "127.0.0.1", undefined)).toBe(true);
  expect(mayReadMetrics(key, "192.0.2.1", undefined)).toBe(false);
  expect(mayReadMetrics(key, "192.0.2.1", "Bearer wrong")).toBe(false);
  expect(mayReadMetrics(key, "192.0.2.1", `Bearer ${key}`)).toBe(true);
});

test("label values cannot break out of their quotes", () => {
  const samples = [{ labels: { reason: 'a"b\\c\nd' }, value: 1 }];

  expect(prometheusText([{ name: "x", type: "gauge", help: "h", samples }])).toBe(
    '# HELP x h\n# TYPE x gauge\nx{reason="a\\"b\\\\c\\nd"} 1\n',
  );
});

test("updates do not make the page longer for ever", () => {
  const metrics = new ServiceMetrics();
  for (let revision = 1; revision <= 20; revision += 1) metrics.finished(revision, 200, 0.1);

  expect([...metrics.revisions.keys()]).toHaveLength(MAX_REVISIONS);
  expect([...metrics.revisions.keys()].at(-1)).toBe(20);
});
