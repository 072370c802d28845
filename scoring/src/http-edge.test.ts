import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScorerConfig, ScorerState } from "@slipway/api";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answerText, type RequestHandler } from "./exchange.ts";
import { type HttpEdge, listenForHttp } from "./http-edge.ts";

let folder: string;
let edge: HttpEdge;
let handled: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "slipway-http-edge-"));
  handled = 0;
  const config = { httpSocket: join(folder, "http.sock"), maxBodyBytes: 1000 } as ScorerConfig;
  const state = () => ({ phase: "ready" }) as ScorerState;
  const patience = { headMs: 500, requestMs: 2_000, checkMs: 20 };
  const handle: RequestHandler = (_, sink) => {
    handled += 1;
    answerText(sink, 200, "handled");
    return () => {};
  };
  edge = await listenForHttp(config, { handle, state, admit: undefined }, patience);
});

afterEach(async () => {
  edge.stopAccepting();
  await edge.close();
  rmSync(folder, { recursive: true });
});

it.each([
  ["its head", "POST /score HTTP/1.1\r\nHost: x\r\n", "X-Slow: 1\r\n"],
  ["its body", "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", "x"],
])("a caller that drips %s is told so and let go", async (_, begin, drop) => {
  const answer = await drip(begin, drop);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(handled).toBe(0);
});

it("a caller that takes a little time is served", async () => {
  const answer = await drip("POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", "x");
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

/** Sends the beginning, and then a drop every 30 ms, until the connection ends. */
function drip(begin: string, drop: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(join(folder, "http.sock"), () => socket.write(begin));
    // After what has arrived was read: a write to a connection that was ended meanwhile would throw the answer away.
    const dripping = setInterval(() => setImmediate(() => socket.readable && socket.write(drop)), 30);
    socket.on("data", (data) => {
      heard += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(dripping);
      resolve(heard);
    });
  });
}
