import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { eventually, GatewayFixture } from "./test/gateway-fixture.ts";
import { http2Caller } from "./test/http2-caller.ts";

const SCORE = "/api/v1/service/digits/score";

async function started(onRequest?: (request: ScorerRequest) => void) {
  const fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", onRequest);
  fixture.writeRoutes([fixture.route("digits", [scorer], { maxBodyBytes: 100_000 })]);
  const gateway = await fixture.start();
  await fixture.connected();
  return { fixture, scorer, gateway, caller: http2Caller(fixture.port) };
}

test("the same requests work over HTTP/2", async () => {
  const { fixture, scorer, caller } = await started();
  await using _fixture = fixture;
  using _caller = caller;

  const answer = await caller.call({ ":path": `${SCORE}?a=1`, "x-mine": "1" }, "[1]");

  expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([200, { replica: "a1", got: "[1]" }]);
  expect(scorer.received[0]).toMatchObject({ m: "POST", p: "/score", q: "a=1" });
  expect(scorer.received[0]?.h).toMatchObject({ host: `localhost:${fixture.port}`, "x-mine": "1" });
  expect(Object.keys(scorer.received[0]?.h ?? {}).filter((name) => name.startsWith(":"))).toEqual([]);
});

test("refusals over HTTP/2, also of bodies that nobody reads to their end", async () => {
  const { fixture, caller } = await started();
  await using _fixture = fixture;
  using _caller = caller;
  const codeOf = async (path: string, body: string) => {
    const answer = await caller.call({ ":path": path }, body);
    return [answer.status, JSON.parse(answer.body.toString()).error.code];
  };

  expect(await codeOf("/api/v1/service/none/score", "x".repeat(500_000))).toEqual([404, "ServiceNotFound"]);
  expect(await codeOf(SCORE, "x".repeat(5_000_000))).toEqual([413, "BodyTooLarge"]);
  expect((await caller.call({ ":path": SCORE }, "[1]")).status).toBe(200);
});

test("a stream over HTTP/2 comes in its parts, and a broken one is no whole answer", async () => {
  const { fixture, caller } = await started(({ head, stream, data, end }) => {
    stream(200, { "content-type": "text/plain" }, "a");
    data("b");
    end(head.q === "broken" ? "the worker died" : "");
  });
  await using _fixture = fixture;
  using _caller = caller;

  expect((await caller.call({ ":path": SCORE })).body.toString()).toBe("ab");
  await expect(caller.call({ ":path": `${SCORE}?broken` })).rejects.toThrow();
});

test("a gateway that stops finishes what is in work and sends its callers away", async () => {
  const held: ScorerRequest[] = [];
  const { fixture, gateway, caller } = await started((request) => held.push(request));
  await using _fixture = fixture;
  using _caller = caller;
  const call = caller.call({ ":path": SCORE });
  await eventually("in work", () => held.length === 1);

  const closed = gateway.close();
  await eventually("the farewell", () => caller.session.closed);
  held[0]?.respond(200, {}, "done");

  expect((await call).body.toString()).toBe("done");
  await closed;
});

test("who does not ask for HTTP/2 gets HTTP/1.1", async () => {
  const { fixture } = await started();
  await using _fixture = fixture;
  const agreed = (ALPNProtocols: string[]) =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ port: fixture.port, rejectUnauthorized: false, ALPNProtocols }, () => {
        resolve(socket.alpnProtocol);
        socket.destroy();
      });
      socket.once("error", reject);
    });

  expect(await agreed(["h2", "http/1.1"])).toBe("h2");
  expect(await agreed(["http/1.1"])).toBe("http/1.1");
  expect((await fixture.call(SCORE)).status).toBe(200);
});
