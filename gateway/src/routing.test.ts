import { expect, test } from "vitest";
import { GatewayFixture } from "./test/gateway-fixture.ts";

test("a request reaches the replica of its service and comes back", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();

  const answer = await fixture.call("/api/v1/service/digits/score?verbose=1", {
    body: '{"data":[1]}',
    headers: {
      "x-request-id": "mine-1",
      "content-type": "application/json",
      authorization: "Bearer secret",
      te: "trailers",
    },
  });

  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.text)).toEqual({ replica: "a1", got: '{"data":[1]}' });
  expect(answer.headers["x-request-id"]).toBe("mine-1");
  expect(scorer.received[0]).toMatchObject({ m: "POST", p: "/score", q: "verbose=1", i: "mine-1", t: 5000 });
  const passed = scorer.received[0]?.h ?? {};
  expect(passed["content-type"]).toBe("application/json");
  expect(passed["content-length"]).toBe("12");
  expect(Object.keys(passed)).not.toContain("authorization");
  expect(Object.keys(passed)).not.toContain("te");
  expect(Object.keys(passed)).not.toContain("connection");
});
