import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ScorerRequest } from "./test/framed-scorer.ts";
import { eventually, GatewayFixture } from "./test/gateway-fixture.ts";
import { configFile, GatewayProcess } from "./test/gateway-process.ts";

const SCORE = "/api/v1/service/digits/score";

test("after SIGKILL the next one serves from routes.json, with no control plane", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  const config = configFile(fixture);
  await using first = new GatewayProcess([config]);
  const port = await first.ready();
  expect((await fixture.call(SCORE, {}, port)).status).toBe(200);

  first.kill("SIGKILL");
  expect(await first.exited).toBe("SIGKILL");
  await using second = new GatewayProcess([configFile(fixture, { port })]);

  await second.ready();
  expect((await fixture.call(SCORE, {}, port)).status).toBe(200);
  expect((await fixture.state()).routesVersion).toBe(1);
});

test("SIGTERM: what is in work finishes, then it ends with 0", async () => {
  await using fixture = new GatewayFixture();
  const held: ScorerRequest[] = [];
  const scorer = await fixture.scorer("a1", (request) => held.push(request));
  fixture.writeRoutes([fixture.route("digits", [scorer])]);
  await using gateway = new GatewayProcess([configFile(fixture)]);
  const port = await gateway.ready();
  const call = fixture.call(SCORE, {}, port);
  await eventually("in work", () => held.length === 1);

  gateway.kill("SIGTERM");
  await eventually("no new connections", () =>
    fixture.call("/elsewhere", { headers: { connection: "close" } }, port).then(
      () => false,
      () => true,
    ),
  );
  held[0]?.respond(200, {}, "finished");

  expect(await call).toMatchObject({ status: 200, text: "finished", headers: { connection: "close" } });
  expect(await gateway.exited).toBe(0);
});

test("SIGTERM: connections that never say anything do not hold it back", async () => {
  await using fixture = new GatewayFixture();
  await using gateway = new GatewayProcess([configFile(fixture, { drainMs: 100 })]);
  const port = await gateway.ready();
  const silent = connect(port, "127.0.0.1");
  const closed = new Promise((resolve) => silent.once("close", resolve));
  silent.resume().on("error", () => silent.destroy());
  await new Promise((resolve) => silent.once("connect", resolve));
  // Answered after the silent connection was accepted.
  await fixture.call(SCORE, { headers: { connection: "close" } }, port);

  gateway.kill("SIGTERM");

  expect(await gateway.exited).toBe(0);
  await closed;
});

test("SIGTERM: what does not finish in time is cut off", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", () => {});
  fixture.writeRoutes([fixture.route("digits", [scorer], { scoringTimeoutMs: 60_000 })]);
  await using gateway = new GatewayProcess([configFile(fixture, { drainMs: 100 })]);
  const call = fixture.call(SCORE, {}, await gateway.ready()).catch(() => "cut off");
  await eventually("in work", () => scorer.received.length === 1);

  gateway.kill("SIGTERM");

  expect(await gateway.exited).toBe(0);
  expect(await call).toBe("cut off");
});

test("a second gateway on the same folder is refused, naming the first", async () => {
  await using fixture = new GatewayFixture();
  await fixture.start();

  await using second = new GatewayProcess([configFile(fixture)]);

  expect(await second.exited).toBe(4);
  expect(second.lines.map(({ message }) => message)).toEqual([
    expect.stringContaining(`Another gateway (process ${process.pid})`),
  ]);
});

test("a port in use is one clear line", async () => {
  await using fixture = new GatewayFixture();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" ? address?.port : undefined;

  await using gateway = new GatewayProcess([configFile(fixture, { port })]);

  expect(await gateway.exited).toBe(3);
  expect(gateway.lines.map(({ message }) => message)).toEqual([
    expect.stringContaining(`Port ${port} on 127.0.0.1 is in use`),
  ]);
  other.close();
});

test.each([
  ["an unknown field", { colour: "red" }, "additional properties (colour)"],
  ["a port of text", { port: "8444" }, "/port must be integer"],
  ["no certificate", { certificateFile: "/nowhere/tls.pem" }, "The certificate cannot be used"],
  ["a folder with too long a path", { folder: `/${"x".repeat(120)}` }, "Choose a data folder with a shorter path"],
  ["a folder that is missing", { folder: "/nowhere/gateway" }, "/nowhere/gateway is missing or cannot be written to"],
  ["a host of another machine", { host: "192.0.2.1" }, "192.0.2.1 is no address of this machine"],
])("%s in the config is one clear line", async (_what, more, complaint) => {
  await using fixture = new GatewayFixture();

  await using gateway = new GatewayProcess([configFile(fixture, more)]);

  expect(await gateway.exited).toBe(2);
  expect(gateway.lines.map(({ message }) => message)).toEqual([expect.stringContaining(complaint)]);
});

test("a missing config file and a missing argument are one clear line", async () => {
  await using fixture = new GatewayFixture();
  rmSync(fixture.config.keyFile);

  await using missing = new GatewayProcess([join(fixture.folder, "none.json")]);
  await using none = new GatewayProcess([]);

  expect([await missing.exited, await none.exited]).toEqual([2, 2]);
  expect(missing.lines[0]?.message).toContain("none.json cannot be read");
  expect(none.lines[0]?.message).toContain("Usage");
});
