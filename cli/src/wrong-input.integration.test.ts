import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { Model } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliUnderTest, startCliUnderTest } from "./cli-fixture.ts";

let cli: CliUnderTest;
beforeAll(async () => {
  cli = await startCliUnderTest();
  await writeFile(join(cli.folder, "model.pkl"), "a model");
  await writeFile(join(cli.folder, "score.py"), "def init(): pass\ndef run(data): return data\n");
  await mkdir(join(cli.folder, "empty"));
});
afterAll(() => cli.stop());

const from = ["--model", "model.pkl", "--script", "score.py"];

test.each([
  ["a name that is too short", ["service", "deploy", "d1", ...from], 2, '"d1" cannot be the name of a service'],
  ["a name that no image may have", ["service", "deploy", "ab-", ...from], 2, '"ab-" cannot be the name of an image'],
  ["the same for an image", ["image", "create", "A b", ...from], 2, '"A b" cannot be the name of an image'],
  [
    "a model's name",
    ["service", "deploy", "abc", "--model", "a b=model.pkl"],
    2,
    '"a b" cannot be the name of a model',
  ],
  [
    "a script that is missing",
    ["service", "deploy", "abc", "--model", "model.pkl", "--script", "no.py"],
    2,
    "no.py cannot be read: there is no such file",
  ],
  [
    "a conda file that is missing",
    ["service", "deploy", "abc", ...from, "--conda", "no.yml"],
    2,
    "no.yml cannot be read: there is no such file",
  ],
  [
    "a second model that is missing",
    ["service", "deploy", "abc", ...from, "--model", "no.pkl"],
    3,
    "no.pkl is neither a file or folder here nor a model",
  ],
  ["a folder without files", ["service", "deploy", "abc", ...from, "--dependency", "empty"], 2, "holds no files"],
  [
    "a sample that is not JSON",
    ["service", "deploy", "abc", ...from, "--sample-input", "{bad"],
    2,
    "The sample input is not JSON",
  ],
  ["replicas twice", ["service", "deploy", "abc", ...from, "--replicas", "2", "--min-replicas", "1"], 2, "not both"],
  [
    "fewest above most",
    ["service", "deploy", "abc", ...from, "--min-replicas", "3", "--max-replicas", "2"],
    2,
    "--min-replicas 3 is more than",
  ],
  ["no replica at all", ["service", "deploy", "abc", ...from, "--replicas", "0"], 2, "above 0"],
  ["an update of what is not there", ["service", "update", "abc", ...from], 3, "slipway service list"],
])("%s is refused before anything is done", async (_what, args, expectedCode, text) => {
  const { exitCode, stderr } = await cli.slipway(args);
  expect(stderr).toContain(text);
  expect(stderr).not.toContain("    at ");
  expect(exitCode).toBe(expectedCode);
  expect(await cli.json("status")).toMatchObject({ models: 0, images: 0 });
});

test.each([
  ["model", "delete", "digits"],
  ["image", "delete", "digits"],
])("slipway %s %s %s needs a version", async (...args) => {
  const { exitCode, stderr } = await cli.slipway(args);
  expect(stderr).toContain("Give NAME:VERSION");
  expect(exitCode).toBe(2);
});

test("what was not there is not called deleted", async () => {
  const { exitCode, stdout } = await cli.slipway(["model", "delete", "digits:7"]);
  expect(stdout).toContain("There was no model digits:7.");
  expect(exitCode).toBe(0);
});

test("a server without the right certificate authority: the message says what to trust", async () => {
  const file = join(cli.folder, "no.pem");
  await writeFile(file, "no certificate");
  const { url } = await cli.json<{ url: string }>("status");
  const connection = ["model", "list", "--url", url, "--token", "t"];
  const untrusted = await cli.slipway(connection);
  expect(untrusted.stderr).toContain("tls/ca.pem");
  expect(untrusted.exitCode).toBe(4);
  const damaged = await cli.slipway([...connection, "--ca", file]);
  expect(damaged.stderr).toContain("holds no certificate in PEM form");
  expect(damaged.exitCode).toBe(4);
});

test("a port where nothing listens: the message says so", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const { exitCode, stderr } = await cli.slipway(["login", `https://127.0.0.1:${port}`]);
  expect(stderr).toContain("nothing listens there");
  expect(exitCode).toBe(4);
});

test("a sample input counts for a model that is known without it", async () => {
  const sampled = ["service", "deploy", "sampled", "--model", "sampled=model.pkl", "--script", "score.py"];
  expect((await cli.slipway(["model", "register", "model.pkl", "--name", "sampled"])).exitCode).toBe(0);
  const { exitCode, stdout } = await cli.slipway([...sampled, "--sample-input", '{"a":1}']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('{"a":1}');
  const again = ["service", "update", "sampled", "--model", "sampled=model.pkl", "--script", "score.py"];
  expect((await cli.slipway(again)).exitCode).toBe(0);
  const versions = await cli.json<Model[]>("model", "list", "--name", "sampled");
  expect(versions.map(({ id, sampleInputData }) => [id, sampleInputData])).toEqual([
    ["sampled:2", '{"a":1}'],
    ["sampled:1", null],
  ]);

  const tooMuch = await cli.slipway(["service", "deploy", "other", "--image", "sampled:1", "--memory", "100000"]);
  expect(tooMuch.stderr).toMatch(/memoryInGB must be <= \d+\. /);
  expect(tooMuch.exitCode).toBe(3);
});
