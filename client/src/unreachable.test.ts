import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { reach } from "./http.ts";
import { whyUnreachable } from "./unreachable.ts";

async function messageOf(url: string): Promise<string> {
  return reach(fetch, url, {}).then(
    () => "it answered",
    (error: Error) => error.message,
  );
}

test("a port where nothing listens", async () => {
  const server = createHttpServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  expect(await messageOf(`https://127.0.0.1:${port}/`)).toBe(
    `No answer from 127.0.0.1:${port}: nothing listens there. Is \`slipway up\` running?`,
  );
});

test("a program that does not speak TLS", async () => {
  const server = createHttpServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    expect(await messageOf(`https://127.0.0.1:${port}/`)).toMatch(/Is it a Slipway server|reached by https/);
  } finally {
    server.close();
  }
});

test("a cause without words of its own is told as it is, with one full stop", () => {
  expect(whyUnreachable(new TypeError("fetch failed", { cause: new Error("other side closed.") }))).toBe(
    "other side closed.",
  );
  expect(whyUnreachable(new TypeError("Failed to fetch"))).toBe("Failed to fetch.");
  expect(whyUnreachable("gone")).toBe("gone.");
});
