import { expect, test } from "vitest";
import { createLog } from "./log.ts";
import { ReplicaConnection } from "./replica-connection.ts";
import { ServiceQueue } from "./service-queue.ts";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";

test("an unknown service is named", async () => {
  await using fixture = new GatewayFixture();
  await fixture.start();

  const inDefault = await fixture.call(SCORE);
  const elsewhere = await fixture.call("/w/team/api/v1/service/letters/score");
  const nothing = await fixture.call("/somewhere");

  expect([inDefault.status, codeOf(inDefault)]).toEqual([404, "ServiceNotFound"]);
  expect(inDefault.text).toContain("no service 'digits' in workspace 'default'");
  expect(elsewhere.text).toContain("no service 'letters' in workspace 'team'");
  expect(nothing.text).toContain("No service answers at '/somewhere'");
  expect(inDefault.headers["content-type"]).toBe("application/json");
  expect(JSON.parse(inDefault.text).correlation.RequestId).toBe(inDefault.headers["x-request-id"]);
});

test("a service without a replica answers 503 with the reason after the wait", async () => {
  await using fixture = new GatewayFixture();
  const route = fixture.route("digits", [], { maxQueueWaitMs: 50, unavailableReason: "ModuleNotFoundError: sklearn" });
  fixture.writeRoutes([route]);
  await fixture.start();

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer), answer.headers["retry-after"]]).toEqual([503, "ServiceUnavailable", "1"]);
  expect(answer.text).toContain("ModuleNotFoundError: sklearn");
});

test("a request that waits goes to the replica that comes", async () => {
  await using fixture = new GatewayFixture();
  fixture.writeRoutes([fixture.route("digits", [], { maxQueueWaitMs: 10_000 })]);
  await fixture.start();
  const waiting = fixture.call(SCORE);

  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.control("PUT", "/routes");

  expect((await waiting).status).toBe(200);
});

test("a replica never gets more than its limit, and beyond the queue's bound is refused at once", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxConcurrentRequests: 1, maxQueueWaitMs: 60_000 })]);
  await fixture.start();
  await fixture.connected();
  const calls = Array.from({ length: 101 }, (_, n) => fixture.call(`${SCORE}?n=${n}`));
  // the first is in work, a hundred wait
  await eventually("a full queue", async () => {
    const [signals] = (await fixture.control("GET", "/signals")).body as { queued: number }[];
    return signals?.queued === 100;
  });
  expect(held).toHaveLength(1);

  const refused = await fixture.call(SCORE, { body: "x".repeat(50_000) });
  expect([refused.status, codeOf(refused), refused.headers["retry-after"]]).toEqual([503, "QueueFull", "1"]);
  expect(refused.text).toContain("100 requests wait");
  expect(held).toHaveLength(1);

  let most = 0;
  for (let done = 0; done < 101; done += 1) {
    await eventually(`request ${done}`, () => held.length > done);
    most = Math.max(most, held.length - done);
    held[done]?.respond(200, {}, String(done));
  }
  const answers = await Promise.all(calls);
  expect(most).toBe(1);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});

test("who came first is served first, whoever left in between", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  const route = fixture.route("digits", [scorer], { maxQueueWaitMs: 60_000 });
  const queue = new ServiceQueue(route);
  const served: number[] = [];
  const waiting = [1, 2, 3, 4].map((n) => ({
    ticket: 0,
    assigned: () => served.push(n),
    refused: () => served.push(-n),
  }));
  for (const one of waiting) queue.join(one);
  const second = waiting[1];
  if (second !== undefined) queue.leave(second);

  const connection = new ReplicaConnection(
    scorer.replica,
    createLog(() => {}),
    { onAvailable: () => queue.pump(), onIdle: () => {} },
  );
  queue.update(route, [connection]);
  await eventually("all served", () => queue.depth === 0);

  expect(served).toEqual([1, 3, 4]);
  connection.retire();
});

test("who waits too long is told so, with the queue's depth", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", () => {});
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxConcurrentRequests: 1, maxQueueWaitMs: 60 })]);
  await fixture.start();
  await fixture.connected();
  const first = new AbortController();
  const inWork = fixture.call(SCORE, { signal: first.signal }).catch(() => undefined);
  await eventually("the first in work", () => scorer.received.length === 1);

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer), answer.headers["retry-after"]]).toEqual([503, "QueueWaitOver", "1"]);
  expect(answer.text).toContain("within 60 ms; 0 requests wait");
  first.abort();
  await inWork;
});

test("work is shared out to the replica with the least in work", async () => {
  await using fixture = new GatewayFixture();
  const a = await fixture.scorer("a1", () => {});
  const b = await fixture.scorer("a2", () => {});
  fixture.writeRoutes([fixture.route("digits", [a, b])]);
  await fixture.start();
  await fixture.connected();
  const abort = new AbortController();
  const calls = Array.from({ length: 8 }, () => fixture.call(SCORE, { signal: abort.signal }).catch(() => undefined));

  await eventually("all in work", () => a.received.length + b.received.length === 8);

  expect([a.received.length, b.received.length]).toEqual([4, 4]);
  abort.abort();
  await Promise.all(calls);
});

test("scoring that takes too long answers 424 naming the limit, and the replica hears CANCEL", async () => {
  await using fixture = new GatewayFixture();
  let cancelled: Promise<void> | undefined;
  const scorer = await fixture.scorer("a1", (request) => {
    cancelled = request.cancelled;
  });
  fixture.writeRoutes([fixture.route("digits", [scorer], { scoringTimeoutMs: 100 })]);
  await fixture.start();

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer)]).toEqual([424, "ScoringTimeout"]);
  expect(answer.text).toContain("100 ms");
  await cancelled;
  expect((await fixture.control("GET", "/replicas/a1/in-flight")).body).toEqual({ inFlight: 0 });
});

test("a deleted service refuses those who wait for it", async () => {
  await using fixture = new GatewayFixture();
  fixture.writeRoutes([fixture.route("digits", [], { maxQueueWaitMs: 10_000 })]);
  await fixture.start();
  const waiting = fixture.call(SCORE);
  // Arrives on its own connection after the one above, so that one is in the queue by then.
  await fixture.call("/elsewhere");

  fixture.writeRoutes([]);
  await fixture.control("PUT", "/routes");

  const answer = await waiting;
  expect([answer.status, codeOf(answer)]).toEqual([404, "ServiceNotFound"]);
});
