import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { reachableOptions } from "./reachable-options.ts";

const never = new AbortController().signal;

test("an additional address at which nobody answers is left out, one that refuses is kept", async () => {
  const server = createServer((_request, response) => response.writeHead(403).end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const there = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  server.unref();
  const gone = createServer().listen(0, "127.0.0.1");
  await once(gone, "listening");
  const nobody = `http://127.0.0.1:${(gone.address() as AddressInfo).port}/simple`;
  gone.close();
  await once(gone, "close");

  const asked = ["--find-links", nobody, "--index", there, "--index", nobody, "--prerelease", "allow"];
  expect(await reachableOptions(asked, {}, never)).toEqual({
    options: ["--index", there, "--prerelease", "allow"],
    unreachable: [nobody],
  });
  server.close();
});

test("the index itself is never left out, and without addresses nothing is asked", async () => {
  const options = ["--default-index", "http://127.0.0.1:1/simple", "--prerelease", "allow"];
  expect(await reachableOptions(options, {}, never)).toEqual({ options, unreachable: [] });
});
