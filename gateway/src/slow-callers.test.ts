import { connect as connectPlain, type Socket } from "node:net";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";
/** Enough for a caller that is not slow, whatever else the machine does. */
const PATIENCE = { keepAliveMs: 60_000, handshakeMs: 1_500, headMs: 1_500, requestMs: 2_000, checkMs: 20 };

async function started(onRequest?: (request: ScorerRequest) => void) {
  const fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", onRequest);
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxConcurrentRequests: 1 })]);
  await fixture.start({}, PATIENCE);
  return { fixture, scorer };
}

const encrypted = (port: number) => connect({ host: "127.0.0.1", port, rejectUnauthorized: false });

/** A reset counts, too: it is one when the last drop is not read any more. */
function closed(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Sends the beginning, then a drop every 30 ms, until the connection ends; what was heard. */
async function drip(socket: Socket, begin: string, drop: string): Promise<string> {
  let heard = "";
  socket.on("data", (data: Buffer) => {
    heard += data.toString("latin1");
  });
  const end = closed(socket);
  socket.write(begin);
  // Not after an answer: it would be thrown away with the connection.
  const dripping = setInterval(() => heard === "" && socket.write(drop), 30);
  await end;
  clearInterval(dripping);
  return heard;
}

test.each([
  ["its head", "POST /score HTTP/1.1\r\nhost: x\r\n", "x-slow: 1\r\n"],
  ["its body", `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n`, "x"],
  ["the chunks of its body", `POST ${SCORE} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`, "1\r\nx\r\n"],
])("a caller that drips %s is told so and let go; others are served meanwhile", async (_, begin, drop) => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;

  const dripping = drip(encrypted(fixture.port), begin, drop);
  expect((await fixture.call(SCORE)).status).toBe(200);

  const heard = await dripping;
  expect(heard).toMatch(/^HTTP\/1\.1 408 /);
  expect(heard).toContain("RequestTooSlow");
  expect(scorer.received).toHaveLength(1);
});

test("a connection that never gets to the end of its handshake is closed", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;

  // Type, version and length of a handshake record that goes on for ever.
  expect(await drip(connectPlain(fixture.port, "127.0.0.1"), "\x16\x03\x01\x40\x00", "\x01")).toBe("");
});

test("a caller that closes its half within the body holds no place", async () => {
  const { fixture, scorer } = await started();
  await using _fixture = fixture;
  const socket = encrypted(fixture.port);
  const end = closed(socket);

  socket.end(`POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{`);
  socket.resume();
  await end;

  expect((await fixture.call(SCORE)).status).toBe(200);
  expect(scorer.received).toHaveLength(1);
});

test.each([
  ["resets its connection", (transport: Socket) => transport.resetAndDestroy()],
  ["closes its half of the connection", (_: Socket, secured: Socket) => secured.end()],
])("a caller that %s counts as gone: its place is free and its work is dropped", async (_, leave) => {
  const held: ScorerRequest[] = [];
  const { fixture } = await started((request) => {
    if (held.push(request) > 1) request.respond(200, {}, "second");
  });
  await using _fixture = fixture;
  const transport = connectPlain(fixture.port, "127.0.0.1");
  const secured = connect({ socket: transport, rejectUnauthorized: false });
  for (const socket of [transport, secured]) socket.on("error", () => {});
  secured.write(`POST ${SCORE} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`);
  await eventually("in work", () => held.length === 1);

  leave(transport, secured);

  await held[0]?.cancelled;
  expect((await fixture.call(SCORE)).text).toBe("second");
});
