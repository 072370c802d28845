import { expect, test } from "vitest";
import { GatewayFixture } from "./test/gateway-fixture.ts";
import { isTraceparent, newTraceparent } from "./trace-context.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test.each([
  [PARENT, true],
  [`${PARENT}-more`, false],
  [`01${PARENT.slice(2)}-more`, true],
  [PARENT.toUpperCase(), false],
  [`ff${PARENT.slice(2)}`, false],
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01", false],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false],
  ["", false],
])("%s is a traceparent: %s", (value, expected) => {
  expect(isTraceparent(value)).toBe(expected);
});

test("a trace goes on through the gateway; a broken one is replaced, with its state", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await fixture.start();
  const call = (headers: Record<string, string>) => fixture.call("/api/v1/service/digits/score", { headers });

  await call({ traceparent: PARENT, tracestate: "a=1" });
  await call({ traceparent: "00-broken", tracestate: "a=1" });
  await call({});

  const [kept, replaced, made] = scorer.received.map(({ h }) => h);
  expect(kept).toMatchObject({ traceparent: PARENT, tracestate: "a=1" });
  expect(isTraceparent(replaced?.traceparent ?? "")).toBe(true);
  expect(replaced?.tracestate).toBeUndefined();
  expect(isTraceparent(made?.traceparent ?? "")).toBe(true);
  expect(made?.traceparent).not.toBe(replaced?.traceparent);
  expect(made?.traceparent).toContain(made?.["x-request-id"]?.replaceAll("-", ""));
});

test.each(["0af76519-16cd-43dd-8448-eb211c80319c", "checkout-17", "00000000-0000-0000-0000-000000000000"])(
  "a trace for the request %s is valid, and nobody records it",
  (requestId) => {
    expect(isTraceparent(newTraceparent(requestId))).toBe(true);
    expect(newTraceparent(requestId)).toMatch(/-00$/);
  },
);
