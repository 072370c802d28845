import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEngineClient, type EngineClient, spokenVersion } from "./engine-client.ts";

let folder: string;
let close: () => Promise<unknown>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-engine-"));
  close = async () => undefined;
});
afterEach(async () => {
  await close();
  await rm(folder, { recursive: true });
});

/** Something that listens where an engine should; answers `/version` as Docker does unless told otherwise. */
async function engineThat(answer: RequestListener): Promise<EngineClient> {
  const socketPath = join(folder, "engine.sock");
  const server = createServer((request, response) => {
    if (request.url === "/version") response.end('{"Version": "27.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24"}');
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return createEngineClient(socketPath);
}

test.each([
  ["1.41", "1.12", "1.41"],
  ["1.43", undefined, "1.43"],
  ["1.44", "1.24", "1.44"],
  ["1.52", "1.44", "1.44"],
  ["1.60", "1.48", "1.48"],
  ["2.0", "1.99", "1.99"],
])("an engine of version %s that knows from %s on is spoken to in %s", (ApiVersion, MinAPIVersion, spoken) => {
  expect(spokenVersion({ ApiVersion, ...(MinAPIVersion && { MinAPIVersion }) })).toBe(spoken);
});

test("an engine that is too old is refused by name", () => {
  expect(() => spokenVersion({ ApiVersion: "1.9" })).toThrow(/EngineTooOld|1\.9/);
});

describe("failures name their cause", () => {
  test("nobody there", async () => {
    await expect(createEngineClient(join(folder, "none.sock")).info()).rejects.toMatchObject({
      code: "EngineUnreachable",
      message: expect.stringContaining("--container-engine"),
    });
  });

  test("the engine's own words", async () => {
    const engine = await engineThat((_, response) => {
      response.statusCode = 500;
      response.end('{"message": "no space left on device"}');
    });
    await expect(engine.startContainer("abc")).rejects.toMatchObject({
      code: "EngineRefused",
      message: expect.stringContaining("no space left on device"),
    });
  });

  test("an answer that is something else", async () => {
    const engine = await engineThat((_, response) => response.end("<html>"));
    await expect(engine.info()).rejects.toMatchObject({ code: "EngineFailed" });
    const half = await engineThatAnswers('{"NCPU": "two", "MemTotal": 1, "Architecture": "x"}');
    await expect(half.info()).rejects.toMatchObject({ code: "EngineFailed", message: expect.stringContaining("NCPU") });
  });

  test("a connection that breaks", async () => {
    const engine = await engineThat((request) => request.socket.destroy());
    await expect(engine.containers({})).rejects.toMatchObject({ code: "EngineFailed" });
  });

  test("a load that fails in the middle of its answer", async () => {
    const engine = await engineThat((request, response) => {
      request.resume();
      request.on("end", () => response.end('{"status": "Loading"}\n{"error": "layer does not match"}\n'));
    });
    await expect(engine.loadImage(bytes(3), AbortSignal.timeout(50_000))).rejects.toThrow("layer does not match");
  });

  test("an archive that the engine refuses half-way", async () => {
    const engine = await engineThat((_, response) => {
      response.statusCode = 400;
      response.end('{"message": "not an archive"}', () => response.socket?.destroy());
    });
    await expect(engine.loadImage(bytes(100_000), AbortSignal.timeout(50_000))).rejects.toMatchObject({
      message: expect.stringMatching(/not an archive|did not finish/),
    });
  });

  test("an archive that cannot be read", async () => {
    const engine = await engineThat((request) => request.resume());
    async function* broken() {
      yield Buffer.from("a");
      throw new Error("the layer is gone");
    }
    await expect(engine.loadImage(broken(), AbortSignal.timeout(50_000))).rejects.toThrow("the layer is gone");
  });

  async function engineThatAnswers(text: string): Promise<EngineClient> {
    await close();
    return engineThat((_, response) => response.end(text));
  }
});

test("a cancelled call ends with the signal's reason", async () => {
  const engine = await engineThat((request) => request.resume());
  const cancel = new AbortController();
  const loading = engine.loadImage(bytes(1), cancel.signal);
  cancel.abort(new Error("seen enough"));
  await expect(loading).rejects.toThrow("seen enough");
});

test("what is not there is no error", async () => {
  const engine = await engineThat((_, response) => {
    response.statusCode = 404;
    response.end('{"message": "no such thing"}');
  });
  expect(await engine.container("abc")).toBeUndefined();
  expect(await engine.image("abc")).toBeUndefined();
  expect(await engine.output("abc", 10)).toBe("");
  await engine.removeContainer("abc");
  await engine.removeImage("abc");
});

async function* bytes(count: number): AsyncIterable<Uint8Array> {
  for (let sent = 0; sent < count; sent++) yield Buffer.alloc(1024);
}
