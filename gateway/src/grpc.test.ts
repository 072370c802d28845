import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { eventually, GatewayFixture, keyHash } from "./test/gateway-fixture.ts";
import { http2Caller, message } from "./test/http2-caller.ts";

const SERVICE = { "x-slipway-service": "digits" };

async function started(
  onRequest?: (request: ScorerRequest) => void,
  more: Parameters<GatewayFixture["route"]>[2] = {},
) {
  const fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", onRequest ?? echo);
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxBodyBytes: 1000, ...more })]);
  await fixture.start();
  await fixture.connected();
  return { fixture, scorer, caller: http2Caller(fixture.port) };
}

const echo = ({ head, payload, respond }: ScorerRequest) =>
  respond(200, { "grpc-status": "0", "x-model": "ridge" }, `${head.p} got ${payload}`);

test("a unary call: the scorer sees the raw message, the caller gets prefix and trailers", async () => {
  const { fixture, scorer, caller } = await started();
  await using _fixture = fixture;
  using _caller = caller;

  const answer = await caller.grpc({ ...SERVICE, "x-request-id": "mine-1" }, message("tensor"));

  expect(answer.body).toEqual(message("/inference.GRPCInferenceService/ModelInfer got tensor"));
  expect(answer.headers).toMatchObject({
    ":status": 200,
    "content-type": "application/grpc+proto",
    "x-model": "ridge",
    "x-request-id": "mine-1",
  });
  expect(answer.headers["grpc-status"]).toBeUndefined();
  expect(answer.trailers["grpc-status"]).toBe("0");
  expect(scorer.received[0]).toMatchObject({
    m: "POST",
    p: "/inference.GRPCInferenceService/ModelInfer",
    i: "mine-1",
    h: { "content-type": "application/grpc+proto", "content-length": "6" },
  });
});

test.each([
  ["the cloud's metadata", { "x-ms-aml-grpc-service-route": "/api/v1/service/digits" }],
  ["a service of another workspace", { "x-ms-aml-grpc-service-route": "/w/team/api/v1/service/digits" }],
])("the service is found by %s", async (_what, metadata) => {
  const { fixture, scorer, caller } = await started();
  await using _fixture = fixture;
  using _caller = caller;
  const other = fixture.route("digits", [], { basePath: "/w/team/api/v1/service/digits", replicas: [] });
  const here = fixture.route("digits", [], { replicas: [scorer.replica] });
  const team = Object.values(metadata)[0]?.startsWith("/w/");
  fixture.writeRoutes(
    team
      ? [
          { ...here, replicas: [] },
          { ...other, replicas: [scorer.replica] },
        ]
      : [here, other],
  );
  await fixture.control("PUT", "/routes");

  expect((await caller.grpc(metadata, message("x"))).trailers["grpc-status"]).toBe("0");
});

test("a message that arrives in pieces is put together; large ones pass", async () => {
  const { fixture, caller } = await started(({ payload, respond }) => respond(200, { "grpc-status": "0" }, payload), {
    maxBodyBytes: 5_000_000,
  });
  await using _fixture = fixture;
  using _caller = caller;
  const large = message("x".repeat(3_000_000));
  const stream = caller.session.request({
    ":method": "POST",
    ":path": "/a/B",
    "content-type": "application/grpc",
    ...SERVICE,
  });
  for (const byte of message("abc")) {
    stream.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  await new Promise((resolve) => stream.once("end", resolve));

  expect(Buffer.concat(parts)).toEqual(message("abc"));
  expect((await caller.grpc(SERVICE, large)).body.equals(large)).toBe(true);
});

test("what the scorer says is wrong reaches the caller, in any script", async () => {
  const { fixture, caller } = await started(({ respond }) =>
    respond(200, { "grpc-status": "3", "grpc-message": "100 % größer\nals 3" }, ""),
  );
  await using _fixture = fixture;
  using _caller = caller;

  const { trailers, body } = await caller.grpc(SERVICE, message("x"));

  expect(trailers).toMatchObject({ "grpc-status": "3", "grpc-message": "100 %25 gr%C3%B6%C3%9Fer%0Aals 3" });
  expect(body).toHaveLength(0);
});

test.each([
  ["an error of run()", 424, '{"error":{"code":"RunFailed","message":"ValueError: no"}}', "13", "ValueError: no"],
  ["a replica that starts", 503, '{"error":{"code":"StillStarting","message":"soon"}}', "14", "soon"],
  ["a scorer that knows no gRPC", 200, "[1]", "12", "[1]"],
])("%s that comes as an HTTP answer has its gRPC status", async (_what, status, text, grpcStatus, grpcMessage) => {
  const { fixture, caller } = await started(({ respond }) => respond(status, {}, text));
  await using _fixture = fixture;
  using _caller = caller;

  const { trailers } = await caller.grpc(SERVICE, message("x"));

  expect(trailers).toMatchObject({ "grpc-status": grpcStatus, "grpc-message": grpcMessage });
});

test("what the gateway refuses has the status of its kind", async () => {
  const { fixture, caller } = await started(echo, { auth: "key", keyHashes: [keyHash("secret-key")] });
  await using _fixture = fixture;
  using _caller = caller;
  const key = { authorization: "Bearer secret-key" };
  const statusOf = async (metadata: Record<string, string>, body = message("x")) => {
    const { status, trailers } = await caller.grpc(metadata, body);
    return [status, trailers["grpc-status"], String(trailers["grpc-message"]).split(":")[0]];
  };

  expect(await statusOf({ ...SERVICE, ...key })).toEqual([200, "0", "undefined"]);
  expect(await statusOf(SERVICE)).toEqual([200, "16", "CredentialMissing"]);
  expect(await statusOf({ ...SERVICE, authorization: "Bearer wrong" })).toEqual([200, "16", "KeyWrong"]);
  expect(await statusOf({ "x-slipway-service": "nobody" })).toEqual([200, "5", "ServiceNotFound"]);
  expect(await statusOf({})).toEqual([200, "3", "GrpcServiceMissing"]);
  expect(await statusOf({ ...SERVICE, ...key }, message("x".repeat(5000)))).toEqual([200, "8", "BodyTooLarge"]);
  expect(await statusOf({ ...SERVICE, ...key }, message("x", 1))).toEqual([200, "12", "GrpcMessageUnsupported"]);
  expect(await statusOf({ ...SERVICE, ...key }, Buffer.concat([message("x"), message("y")]))).toEqual([
    200,
    "12",
    "GrpcMessageUnsupported",
  ]);
  expect(await statusOf({ ...SERVICE, ...key }, message("x", 0, 100))).toEqual([200, "13", "GrpcMessageBroken"]);
  expect(await statusOf({ ...SERVICE, ...key }, Buffer.from([0, 0]))).toEqual([200, "13", "GrpcMessageBroken"]);
});

test("the caller's deadline ends the wait and the work", async () => {
  const held: ScorerRequest[] = [];
  const { fixture, caller } = await started((request) => held.push(request), { maxConcurrentRequests: 1 });
  await using _fixture = fixture;
  using _caller = caller;

  const working = caller.grpc({ ...SERVICE, "grpc-timeout": "2S" }, message("x"));
  await eventually("in work", () => held.length === 1);
  const waiting = await caller.grpc({ ...SERVICE, "grpc-timeout": "50000u" }, message("y"));

  expect(waiting.trailers["grpc-status"]).toBe("4");
  expect((await working).trailers).toMatchObject({
    "grpc-status": "4",
    "grpc-message": expect.stringContaining("within the 2000 ms"),
  });
  await held[0]?.cancelled;
  expect(held).toHaveLength(1);
});

test("scoring that takes too long, a full queue and a dead replica", async () => {
  const held: ScorerRequest[] = [];
  const { fixture, scorer, caller } = await started((request) => held.push(request), {
    maxConcurrentRequests: 1,
    maxQueueWaitMs: 50,
    scoringTimeoutMs: 1,
  });
  await using _fixture = fixture;
  using _caller = caller;
  const slow = caller.grpc(SERVICE, message("x"));
  await eventually("in work", () => held.length === 1);
  expect((await caller.grpc(SERVICE, message("x"))).trailers["grpc-status"]).toBe("14");
  expect((await slow).trailers["grpc-status"]).toBe("4");

  const lost = caller.grpc(SERVICE, message("x"));
  await eventually("in work", () => held.length === 2);
  await scorer.kill();
  expect((await lost).trailers).toMatchObject({
    "grpc-status": "13",
    "grpc-message": expect.stringContaining("ReplicaGone"),
  });
});

test("a caller that resets its stream is cancelled at the replica", async () => {
  const held: ScorerRequest[] = [];
  const { fixture, caller } = await started((request) => held.push(request));
  await using _fixture = fixture;
  using _caller = caller;
  const stream = caller.session.request({
    ":method": "POST",
    ":path": "/a/B",
    "content-type": "application/grpc",
    ...SERVICE,
  });
  stream.on("error", () => {});
  stream.end(message("x"));
  await eventually("in work", () => held.length === 1);

  stream.close(8);

  await held[0]?.cancelled;
});
