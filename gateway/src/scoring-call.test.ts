import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { HttpCaller } from "./http-caller.ts";
import { createLog } from "./log.ts";
import { ReplicaConnection } from "./replica-connection.ts";
import { ScoringCall } from "./scoring-call.ts";
import { ServiceLoad } from "./service-load.ts";
import { ServiceMetrics } from "./service-metrics.ts";
import { ServiceQueue } from "./service-queue.ts";
import { eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/digits/score";
const quiet = createLog(() => {});

test("a request that no byte was written of goes to another replica; a written one never", async () => {
  await using fixture = new GatewayFixture();
  const [a, b] = [await fixture.scorer("a1", () => {}), await fixture.scorer("a2")];
  const route = fixture.route("digits", [a, b]);
  const queue = new ServiceQueue(route);
  const connectTo = ({ replica }: typeof a) =>
    new ReplicaConnection(replica, quiet, { onAvailable: () => queue.pump(), onIdle: () => {} });
  const [toA, toB] = [connectTo(a), connectTo(b)];
  await eventually("both connected", () => toA.ready && toB.ready);
  queue.update(route, [toA]);
  const service = {
    route,
    queue,
    authorize: () => undefined,
    sleeper: undefined,
    load: new ServiceLoad(performance.now()),
    metrics: new ServiceMetrics(),
  };
  const server = createServer((incoming, response) => {
    const head = { m: "POST", p: "/score", h: {}, i: "1" };
    const caller = new HttpCaller(response, "1", [], () => false);
    const call = new ScoringCall({ service, caller, sinceMs: performance.now(), head, body: [], log: quiet });
    queue.update(route, [toB]);
    call.lost("it died", incoming.url === "/written");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const get = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request({ port, path, agent: false }, (response) => resolve(response.resume().statusCode));
      asked.on("error", reject).end();
    });

  expect(await get("/unwritten")).toBe(200);
  expect(b.received).toHaveLength(1);
  queue.update(route, [toA]);
  expect(await get("/written")).toBe(424);
  expect(b.received).toHaveLength(1);

  toA.retire();
  toB.retire();
  server.closeAllConnections();
  server.close();
});

/** A replica that streams 60 MB at `/score` and answers anything else at once. */
async function streaming(fixture: GatewayFixture) {
  const part = Buffer.alloc(1_000_000, "x");
  const scorer = await fixture.scorer("a1", ({ head, respond, stream, data, end }) => {
    if (head.p !== "/score") return respond(200, {}, "quick");
    stream(200, {}, "");
    for (let n = 0; n < 60; n += 1) data(part);
    end();
  });
  fixture.writeRoutes([fixture.route("digits", [scorer], { scoringTimeoutMs: 30_000 })]);
  await fixture.start();
  await fixture.connected();
}

/** Asks for the stream and reads nothing until told. */
function slowReader(port: number) {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
    socket.pause();
    socket.write(`GET ${SCORE} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  });
  let bytes = 0;
  let tail = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (part: Buffer) => {
    bytes += part.length;
    tail = (tail + part.toString("latin1")).slice(-5);
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    read: async () => {
      socket.resume();
      await closed;
      return { bytes, whole: tail === "0\r\n\r\n" };
    },
  };
}

test("a caller that reads late still gets the whole stream", async () => {
  await using fixture = new GatewayFixture();
  await streaming(fixture);
  const reader = slowReader(fixture.port);
  await eventually("the stream began", async () => {
    const { body } = await fixture.control("GET", "/replicas/a1/in-flight");
    return JSON.stringify(body) === '{"inFlight":1}';
  });

  const { bytes, whole } = await reader.read();

  expect(whole).toBe(true);
  expect(bytes).toBeGreaterThan(60_000_000);
});

test("a caller that never reads is cut off, and the others on that replica go on", async () => {
  await using fixture = new GatewayFixture();
  await streaming(fixture);
  const reader = slowReader(fixture.port);
  await eventually("the stream began", async () => {
    const { body } = await fixture.control("GET", "/replicas/a1/in-flight");
    return JSON.stringify(body) === '{"inFlight":1}';
  });

  const other = await fixture.call("/api/v1/service/digits/swagger.json");

  expect(other.text).toBe("quick");
  await eventually("the slow one is cut off", () =>
    fixture.logged.some(({ cause }) => cause === "the caller reads too slowly"),
  );
  expect((await reader.read()).whole).toBe(false);
});
