import { encodeFrame, FrameKind } from "@slipway/api";
import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";

async function withScorer(fixture: GatewayFixture, onRequest?: (request: ScorerRequest) => void) {
  const scorer = await fixture.scorer("a1", onRequest);
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  return scorer;
}

test("a replica that dies fails its requests at once with the cause, and never gets them again", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await withScorer(fixture, (request) => held.push(request));
  const calls = [fixture.call(SCORE), fixture.call(SCORE)];
  await eventually("both in work", () => held.length === 2);

  held[0]?.die();

  for (const answer of await Promise.all(calls)) {
    expect([answer.status, codeOf(answer)]).toEqual([424, "ReplicaGone"]);
    expect(answer.text).toContain("Replica 'a1' of service 'digits'");
  }
  await fixture.connected();
  const third = fixture.call(SCORE);
  await eventually("the third in work", () => held.length === 3);
  held[2]?.respond(200, {}, "ok");
  expect((await third).text).toBe("ok");
  expect(scorer.received).toHaveLength(3);
});

test("requests that wait go to another replica when one dies", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const a = await fixture.scorer("a1", (request) => held.push(request));
  const b = await fixture.scorer("a2", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [a, b], { maxConcurrentRequests: 1, maxQueueWaitMs: 10_000 })]);
  await fixture.start();
  await fixture.connected();
  const inWork = [fixture.call(SCORE), fixture.call(SCORE)];
  await eventually("both in work", () => held.length === 2);
  const waiting = fixture.call(SCORE);
  await fixture.call("/elsewhere");

  await a.kill();
  for (const request of held) request.respond(200, {}, "survived");

  const answers = await Promise.all(inWork);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 424]);
  await eventually("the waiting one in work", () => b.received.length === 2);
  held[2]?.respond(200, {}, "elsewhere");
  expect((await waiting).text).toBe("elsewhere");
});

test("a caller that goes away is cancelled at the replica and its slot is free", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await withScorer(fixture, (request) => held.push(request));
  const abort = new AbortController();
  const call = fixture.call(SCORE, { signal: abort.signal }).catch(() => "aborted");
  await eventually("in work", () => held.length === 1);
  expect((await fixture.control("GET", "/replicas/a1/in-flight")).body).toEqual({ inFlight: 1 });

  abort.abort();

  await held[0]?.cancelled;
  expect(await call).toBe("aborted");
  expect((await fixture.control("GET", "/replicas/a1/in-flight?wait=5000")).body).toEqual({ inFlight: 0 });
  // A late answer is dropped and harms nobody.
  held[0]?.respond(200, {}, "late");
  const next = fixture.call(SCORE);
  await eventually("the next in work", () => held.length === 2);
  held[1]?.respond(200, {}, "next");
  expect((await next).text).toBe("next");
  expect(scorer.kinds.filter((kind) => kind === FrameKind.CANCEL)).toHaveLength(1);
});

test.each([
  ["another nonce", { nonce: "stolen" }, "belongs to another replica"],
  ["another protocol", { protocol: 9 }, "speaks frame protocol 9"],
  ["another role", { role: "worker" }, "is a worker, not a scorer"],
  ["no HELLO", { silent: true }, "it sent no HELLO"],
])("a socket with %s gets no request", async (_what, options, complaint) => {
  await using fixture = new GatewayFixture();
  const impostor = await fixture.scorer("a1", undefined, options);
  fixture.writeRoutes([fixture.route("digits", [impostor], { maxQueueWaitMs: 100 })]);
  await fixture.start();

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer)]).toEqual([503, "ServiceUnavailable"]);
  expect(impostor.received).toHaveLength(0);
  await eventually("the complaint", () => fixture.logged.some(({ cause }) => String(cause).includes(complaint)));
  expect((await fixture.state()).unreachableReplicas).toEqual(["a1"]);
});

test.each<[string, (request: ScorerRequest) => void, string]>([
  ["a header with a line break", ({ respond }) => respond(200, { "x-a": "b\r\nset-cookie: c" }, ""), "'x-a'"],
  ["a header name with a colon", ({ respond }) => respond(200, { "x:a": "b" }, ""), "is not a header name"],
  ["a header that is no text", ({ respond }) => respond(200, { "x-a": ["b"] }, ""), "'x-a'"],
  ["a header beyond latin-1", ({ respond }) => respond(200, { "x-a": "\u0100" }, ""), "'x-a'"],
  ["a status of 99", ({ respond }) => respond(99, {}, ""), "its status is 99"],
  ["a status of 101", ({ respond }) => respond(101, {}, ""), "its status is 101"],
  ["an END without a beginning", ({ end }) => end(), "ended before it began"],
  ["DATA without a beginning", ({ data }) => data("x"), "had not begun"],
  ["a head that is no JSON", badHead, "not JSON"],
])("%s from the replica is a 424 that names it, for this request only", async (_what, onRequest, complaint) => {
  await using fixture = new GatewayFixture();
  const scorer = await withScorer(fixture, (request) =>
    request.head.p === "/score" ? onRequest(request) : request.respond(200, {}, "fine"),
  );

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer)]).toEqual([424, "AnswerInvalid"]);
  expect(answer.text).toContain(complaint);
  expect(answer.headers["set-cookie"]).toBeUndefined();
  expect((await fixture.call("/api/v1/service/digits/")).text).toBe("fine");
  expect(scorer.connections()).toBe(1);
});

function badHead({ raw }: ScorerRequest): void {
  raw(encodeFrame(1, FrameKind.RESPONSE, Buffer.concat([Buffer.from([0, 200, 0, 0, 0, 2]), Buffer.from("{]")])));
}

test("a frame of impossible length ends the connection and with it what is in work", async () => {
  await using fixture = new GatewayFixture();
  await withScorer(fixture, ({ raw }) => raw(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 3])));

  const answer = await fixture.call(SCORE);

  expect([answer.status, codeOf(answer)]).toEqual([424, "ReplicaGone"]);
  expect(answer.text).toContain("announced 4294967295 bytes");
});

test("a replica that drains gets nothing new and finishes what it has", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const a = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [a])]);
  await fixture.start();
  const first = fixture.call(SCORE);
  await eventually("in work", () => held.length === 1);
  const b = await fixture.scorer("a2");
  fixture.writeRoutes([fixture.route("digits", [a, b])]);
  await fixture.control("PUT", "/routes");
  await fixture.connected();

  a.event({ draining: true });
  await eventually("all go to the other", async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(() => fixture.call(SCORE, { signal: AbortSignal.timeout(300) }).catch(() => undefined)),
    );
    return answers.every((answer) => answer?.text.includes("a2"));
  });

  held[0]?.respond(200, {}, "finished");
  expect((await first).text).toBe("finished");
});

test("a streamed answer arrives part by part", async () => {
  await using fixture = new GatewayFixture();
  await withScorer(fixture, ({ stream, data, end }) => {
    stream(200, { "content-type": "text/plain" }, "one ");
    data("two ");
    data("three");
    end();
  });

  const answer = await fixture.call(SCORE);

  expect(answer.text).toBe("one two three");
  expect(answer.headers["transfer-encoding"]).toBe("chunked");
});

test("a stream that breaks off does not look whole", async () => {
  await using fixture = new GatewayFixture();
  await withScorer(fixture, ({ stream, end }) => {
    stream(200, {}, "one ");
    end("the worker died");
  });

  await expect(fixture.call(SCORE)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  expect(fixture.logged.map(({ cause }) => cause)).toContain("the worker died");
});

test("large bodies pass whole in both directions", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", ({ payload, respond }) => respond(200, {}, Buffer.from(payload.reverse())));
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxBodyBytes: 20_000_000 })]);
  await fixture.start();
  const body = Buffer.alloc(9_000_000, "abcdefghijk");

  const answers = await Promise.all([1, 2, 3].map(() => fixture.call(SCORE, { body })));

  const expected = Buffer.from(body).reverse().toString();
  expect(answers.every(({ text }) => text === expected)).toBe(true);
});
