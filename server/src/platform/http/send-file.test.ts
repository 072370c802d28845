import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createHttpApp, type HttpApp } from "./app.ts";
import { sendFile } from "./send-file.ts";

const PIECE = 256 * 1024;
const bytes = randomBytes(3 * PIECE + 17);

let folder: string;
let file: string;
let app: HttpApp;
let url: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-send-file-"));
  file = join(folder, "file");
  await writeFile(file, bytes);
  app = createHttpApp();
  app.get("/:start/:end", (request, reply) => {
    const { start, end } = request.params as { start: string; end: string };
    reply.header("Content-Length", Number(end) + 1 - Number(start)).type("application/octet-stream");
    return sendFile(reply, file, { start: Number(start), end: Number(end) });
  });
  url = await app.listen({ host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  await app.close();
  await rm(folder, { recursive: true });
});

it("sends any part of a file, whatever number of pieces it needs", async () => {
  const ends = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1, bytes.length];
  for (const start of [0, 5, PIECE, 2 * PIECE + 3]) {
    for (const end of ends.filter((one) => one >= start)) {
      const answer = await fetch(`${url}/${start}/${end - 1}`);
      expect(answer.headers.get("content-type")).toBe("application/octet-stream");
      const got = Buffer.from(await answer.arrayBuffer());
      expect(got.equals(bytes.subarray(start, end)), `${start} to ${end}`).toBe(true);
    }
  }
});

it("a file that is shorter than announced is an error, or a broken connection once the head is sent", async () => {
  await truncate(file, PIECE + 10);
  expect(
    await fetch(`${url}/0/${PIECE + 10}`)
      .then((answer) => answer.arrayBuffer())
      .catch(() => "broken"),
  ).toBe("broken");
  expect((await fetch(`${url}/${PIECE}/${PIECE + 10}`)).status).toBe(500);
  await rm(file);
  expect((await fetch(`${url}/0/${PIECE}`)).status).toBe(500);
});
