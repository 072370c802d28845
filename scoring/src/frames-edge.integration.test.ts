import { connect, type Socket } from "node:net";
import { encodeFrame, type Frame, FrameDecoder, FrameKind, type RequestHead } from "@slipway/api";
import { afterEach, describe, expect, it } from "vitest";
import { decodeJson, decodeResponse, encodeRequest } from "./frame-message.ts";
import { eventually, type ScorerUnderTest, startAgain } from "./testing/scorer-under-test.ts";
import { startedScorers } from "./testing/started-scorers.ts";

const scorers = startedScorers();
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A gateway as simple as can be: writes frames, keeps what comes. */
function peerOf(scorer: ScorerUnderTest, hello: object | null = { protocol: 1, role: "gateway", nonce: "nonce-1" }) {
  const socket = connect(scorer.config.framesSocket);
  sockets.push(socket);
  const got: Frame[] = [];
  let closed = false;
  const decoder = new FrameDecoder(({ id, kind, body }) => got.push({ id, kind, body: body.slice() }));
  socket.on("data", (chunk: Buffer) => decoder.push(chunk));
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  const send = (id: number, kind: FrameKind, body: Uint8Array = new Uint8Array()) => {
    socket.write(encodeFrame(id, kind, body));
  };
  if (hello !== null) send(0, FrameKind.HELLO, Buffer.from(JSON.stringify(hello)));
  return {
    got,
    send,
    socket,
    closed: () => closed,
    request(id: number, value: unknown, head: Partial<RequestHead> = {}) {
      const full = { m: "POST", p: "/score", h: { "content-type": "application/json" }, i: `r${id}`, ...head };
      send(id, FrameKind.REQUEST, encodeRequest(full, Buffer.from(JSON.stringify(value))));
    },
    answer: (id: number) =>
      eventually(() => {
        const frame = got.find((one) => one.id === id && one.kind === FrameKind.RESPONSE);
        if (frame === undefined) throw new Error(`No answer to ${id} yet.`);
        const { status, payload } = decodeResponse(frame.body);
        return { status, text: payload.toString("utf8") };
      }),
  };
}

const ECHO = `
import json, time
seen = []
def run(data):
    value = json.loads(data)
    if isinstance(value, dict):
        print("sleeping", flush=True)
        time.sleep(value["sleep"])
    seen.append(value)
    return seen if value == "seen" else value
`;

describe("the frames listener", () => {
  it("greets with its nonce and answers many requests of one connection, each under its id", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const peer = peerOf(scorer);
    for (let id = 1; id <= 200; id += 1) peer.request(id * 1_000_003, id);
    for (let id = 1; id <= 200; id += 1) {
      expect(await peer.answer(id * 1_000_003)).toEqual({ status: 200, text: String(id) });
    }
    expect(peer.got[0]).toMatchObject({ id: 0, kind: FrameKind.HELLO });
    expect(decodeJson(peer.got[0]?.body ?? new Uint8Array())).toEqual({
      protocol: 1,
      role: "scorer",
      nonce: "nonce-1",
    });
    expect(peer.got).toHaveLength(201);
  });

  it("answers the other paths too", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO }, { pathPrefix: "/api/v1/service/digits" });
    const peer = peerOf(scorer);
    peer.request(1, null, { m: "GET", p: "/" });
    peer.request(2, null, { m: "GET", p: "/swagger.json" });
    peer.request(3, null, { m: "GET", p: "/nowhere" });
    peer.request(4, null, { m: "DELETE", p: "/score" });
    expect(await peer.answer(1)).toEqual({ status: 200, text: "Healthy" });
    expect(JSON.parse((await peer.answer(2)).text)).toMatchObject({
      swagger: "2.0",
      info: { title: "digits", version: "3" },
      basePath: "/api/v1/service/digits",
      paths: { "/score": { post: { operationId: "RunMLService" } } },
    });
    expect((await peer.answer(3)).status).toBe(404);
    expect((await peer.answer(4)).status).toBe(405);
  });

  it("drops what was cancelled before it ran", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const peer = peerOf(scorer);
    peer.request(1, { sleep: 2 });
    await expect.poll(() => scorer.log()).toContain("sleeping");
    peer.request(2, "cancelled");
    peer.send(2, FrameKind.CANCEL);
    peer.request(3, "seen");
    expect(JSON.parse((await peer.answer(3)).text)).toEqual([{ sleep: 2 }, "seen"]);
    expect(peer.got.some(({ id }) => id === 2)).toBe(false);
    expect((await scorer.state()).inFlight).toBe(0);
  });

  it("cancels everything of a connection that breaks", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const peer = peerOf(scorer);
    peer.request(1, { sleep: 2 });
    peer.request(2, "lost");
    await scorer.until(({ inFlight }) => inFlight === 2);
    peer.socket.destroy();
    await scorer.until(({ inFlight }) => inFlight === 0);
    expect(((await scorer.score("seen")).json() as unknown[]).includes("lost")).toBe(false);
  });

  it("streams by STREAM, DATA and END", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "def run(data):\n    yield 'a'\n    yield 'b'\n    if 'fail' in data: raise ValueError('broken')\n",
    });
    const peer = peerOf(scorer);
    peer.request(1, "ok");
    peer.request(2, "fail");
    await expect.poll(() => peer.got.filter(({ kind }) => kind === FrameKind.END).length).toBe(2);
    const framesOf = (wanted: number) =>
      peer.got.filter(({ id }) => id === wanted).map(({ kind, body }) => [kind, Buffer.from(body).toString()]);
    expect(framesOf(1).slice(1)).toEqual([
      [FrameKind.DATA, "a"],
      [FrameKind.DATA, "b"],
      [FrameKind.END, ""],
    ]);
    expect(framesOf(2)[0]?.[0]).toBe(FrameKind.STREAM);
    expect(framesOf(2).at(-1)?.[1]).toContain("ValueError: broken");
  });

  it.each([
    ["another nonce", { protocol: 1, role: "gateway", nonce: "other" }, "another replica"],
    ["another version", { protocol: 2, role: "gateway" }, "version 2"],
  ])("closes on a HELLO with %s", async (_, hello, reason) => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const peer = peerOf(scorer, hello);
    await expect.poll(peer.closed).toBe(true);
    await expect.poll(() => scorer.log()).toContain(reason);
  });

  it("closes on what is no frame, and goes on serving others", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const good = peerOf(scorer);
    const silent = peerOf(scorer, null);
    silent.request(1, 1);
    const garbled = peerOf(scorer);
    garbled.socket.write("GET / HTTP/1.1\r\n\r\n");
    const malformed = peerOf(scorer);
    malformed.send(1, FrameKind.REQUEST, Buffer.from([0, 0, 0, 99]));
    await expect.poll(() => [silent.closed(), garbled.closed(), malformed.closed()]).toEqual([true, true, true]);
    good.request(1, "still here");
    expect((await good.answer(1)).text).toBe('"still here"');
  });
});

describe("the end", () => {
  it("is announced to peers, and requests already on their way are still answered", async () => {
    const scorer = await scorers.readyPython({ "score.py": ECHO });
    const peer = peerOf(scorer);
    peer.request(1, { sleep: 2 });
    await expect.poll(() => scorer.log()).toContain("sleeping");
    scorer.process.kill("SIGTERM");
    await expect.poll(() => peer.got.find(({ kind }) => kind === FrameKind.EVENT)).toBeDefined();
    peer.request(2, "late");
    expect((await peer.answer(1)).status).toBe(200);
    expect((await peer.answer(2)).text).toBe('"late"');
    expect(await scorer.exited()).toEqual({ code: 0, signal: null });
  });

  it("by SIGKILL leaves sockets that the next life takes over, while a living one keeps its own", async () => {
    const first = await scorers.readyPython({ "score.py": ECHO });
    const rival = scorers.track(startAgain(first));
    expect(await rival.exited()).toEqual({ code: 1, signal: null });
    expect((await first.score(1)).status).toBe(200);
    first.process.kill("SIGKILL");
    await first.exited();
    const second = scorers.track(startAgain(first));
    const state = await second.until(({ phase }) => phase === "ready");
    expect(state.pid).toBe(second.process.pid);
  });
});
