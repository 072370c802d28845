import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Image, Model, Operation, Service } from "@slipway/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliUnderTest, run, startCliUnderTest } from "./cli-fixture.ts";

const iris = fileURLToPath(new URL("../../examples/onnx/iris.onnx", import.meta.url));
const score = `
from greetings.polite import greet

def init():
    global greeting
    import os, pathlib
    greeting = next(pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.txt")).read_text()
    print("init done")

def run(data):
    import json
    return greet(greeting, json.loads(data)["name"])
`;

let cli: CliUnderTest;
beforeAll(async () => {
  cli = await startCliUnderTest();
  await mkdir(join(cli.folder, "greetings"));
  await writeFile(
    join(cli.folder, "greetings", "polite.py"),
    'def greet(greeting, name):\n    return f"{greeting}, {name}"\n',
  );
  await writeFile(join(cli.folder, "score.py"), score);
  await writeFile(join(cli.folder, "broken.py"), "import no_such_package\n");
  await writeFile(join(cli.folder, "hello.txt"), "Hello");
  await cp(iris, join(cli.folder, "iris.onnx"));
});
afterAll(() => cli.stop());

test("from an ONNX file to a curl line that works as it stands", async () => {
  const { service, curl } = await cli.json<{ service: Service; curl: string }>(
    "service",
    "deploy",
    "iris",
    "--model",
    "iris.onnx",
    "--auth",
  );
  expect(service).toMatchObject({ name: "iris", state: "Healthy", imageId: "iris:1", authEnabled: true });
  const { exitCode, stdout } = await run("sh", ["-c", `${curl} --silent --fail`], cli.folder, {});
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ label: [0] });
});

test("a name in use is refused before anything is built", async () => {
  const { exitCode, stderr } = await cli.slipway(["service", "deploy", "iris", "--model", "iris.onnx"]);
  expect(exitCode).toBe(3);
  expect(stderr).toContain("slipway service update iris");
  expect(await cli.json<Image[]>("image", "list", "--name", "iris")).toHaveLength(1);
});

test("a script with a folder beside it: deployed, scored, and its exceptions named", async () => {
  const files = ["--model", "greeting=hello.txt", "--script", "score.py", "--dependency", "greetings"];
  const { exitCode, stdout, stderr } = await cli.slipway(["service", "deploy", "greeter", ...files]);
  expect(stderr).toMatch(/Deploy service greeter: done in/);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("Healthy");

  const answer = await cli.slipway(["service", "run", "greeter", '{"name": "Ada"}']);
  expect(answer).toMatchObject({ exitCode: 0, stdout: "Hello, Ada\n", stderr: "" });
  const failed = await cli.slipway(["service", "run", "greeter", "{}"]);
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain("KeyError");
  expect((await cli.slipway(["service", "logs", "greeter"])).stdout).toContain("init done");
});

test("a broken update names its cause, and the last good version keeps serving", async () => {
  const { exitCode, stderr } = await cli.slipway([
    "service",
    "update",
    "greeter",
    "--model",
    "greeting",
    "--script",
    "broken.py",
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("no_such_package");
  const answer = await cli.slipway(["service", "run", "greeter", '{"name": "Bob"}']);
  expect(answer.stdout).toBe("Hello, Bob\n");
});

test("the same file is registered once by builds, and each time by register", async () => {
  const files = ["--model", "greeting=hello.txt", "--script", "score.py", "--dependency", "greetings"];
  const image = await cli.json<Image>("image", "create", "again", ...files);
  expect(image).toMatchObject({ id: "again:1", creationState: "Succeeded", modelIds: ["greeting:1"] });
  expect((await cli.slipway(["image", "logs", "again"])).stdout).toContain("Image again:1 is ready");
  const model = await cli.json<Model>("model", "register", "hello.txt", "--name", "greeting", "--tag", "kind=text");
  expect(model).toMatchObject({ id: "greeting:2", kvTags: { kind: "text" } });
  const tagged = await cli.json<Model[]>("model", "list", "--tag", "kind=text");
  expect(tagged.map((item) => item.id)).toEqual(["greeting:2"]);
});

test("a folder comes back as it was registered", async () => {
  await mkdir(join(cli.folder, "exported", "deep"), { recursive: true });
  await writeFile(join(cli.folder, "exported", "a.bin"), "a");
  await writeFile(join(cli.folder, "exported", "deep", "größe b.bin"), "b");
  await cli.json("model", "register", "exported");
  await cli.json("model", "download", "exported", "--to", "restored");
  expect(await readFile(join(cli.folder, "restored", "exported", "a.bin"), "utf8")).toBe("a");
  expect(await readFile(join(cli.folder, "restored", "exported", "deep", "größe b.bin"), "utf8")).toBe("b");
});

test("what is in use is kept, and the answer says by what", async () => {
  const model = await cli.slipway(["model", "delete", "iris:1"]);
  expect(model.exitCode).toBe(3);
  expect(model.stderr).toContain("image iris:1");
  const image = await cli.slipway(["image", "delete", "iris:1", "--output", "json"]);
  expect(JSON.parse(image.stderr)).toMatchObject({ error: { code: "ImageInUse", statusCode: 412 } });
});

test("what is not there ends with 3, whatever it is", async () => {
  for (const command of [
    "model show no",
    "model show no:1",
    "image show no",
    "image logs no:1",
    "service show no",
    "operation show no",
  ]) {
    const { exitCode, stderr } = await cli.slipway(command.split(" "));
    expect(`${command}: ${exitCode} ${stderr}`).toMatch(/: 3 ✗/);
  }
});

test("operations are listed with what they were for", async () => {
  const operations = await cli.json<Operation[]>("operation", "list");
  const update = operations.find((operation) => operation.state === "Failed");
  expect(update?.resourceLocation).toContain("greeter");
  const waited = await cli.slipway(["operation", "wait", update?.id ?? ""]);
  expect(waited.exitCode).toBe(1);
  expect(waited.stderr).toContain("no_such_package");
});

test("a new key replaces the old one", async () => {
  const before = await cli.json<{ primaryKey: string; secondaryKey: string }>("service", "keys", "iris");
  const after = await cli.json<{ primaryKey: string; secondaryKey: string }>(
    "service",
    "keys",
    "iris",
    "--regenerate",
    "primary",
  );
  expect(after.primaryKey).not.toBe(before.primaryKey);
  expect(after.secondaryKey).toBe(before.secondaryKey);
});

test("status is the overview, as text and as JSON", async () => {
  const status = await cli.json<{ services: Service[]; models: number }>("status");
  expect(status.services.map((service) => service.name).sort()).toEqual(["greeter", "iris"]);
  const { stdout } = await cli.slipway(["status"]);
  expect(stdout).toMatch(/greeter +Healthy +greeter:1/);
});

test("a workspace of one's own sees nothing of the others", async () => {
  await cli.json("workspace", "create", "team-a");
  expect(await cli.json<Model[]>("model", "list", "--workspace", "team-a")).toEqual([]);
  const names = await cli.json<{ name: string }[]>("workspace", "list");
  expect(names.map((item) => item.name).sort()).toEqual(["default", "team-a"]);
});

test("a service principal signs in from elsewhere until it is revoked", async () => {
  const { url, caFingerprint } = await cli.json<{ url: string; caFingerprint: string }>("status");
  const entry = await cli.json<{ clientId: string; clientSecret: string }>("access", "create", "laptop");
  const elsewhere = { SLIPWAY_DATA: "", XDG_CONFIG_HOME: join(cli.folder, "elsewhere") };
  const credentials = ["--client-id", entry.clientId, "--client-secret", entry.clientSecret];
  const login = await cli.slipway(["login", url, "--fingerprint", caFingerprint, ...credentials], elsewhere);
  expect(login).toMatchObject({ exitCode: 0, stderr: "" });
  expect((await cli.slipway(["model", "list"], elsewhere)).stdout).toContain("greeting:1");
  await cli.json("access", "revoke", entry.clientId);
  expect((await cli.slipway(["model", "list"], elsewhere)).exitCode).toBe(4);
});

test("a deleted service is gone, and deleting it again is no error", async () => {
  for (const _ of [1, 2]) expect((await cli.slipway(["service", "delete", "greeter"])).exitCode).toBe(0);
  expect((await cli.slipway(["service", "show", "greeter"])).exitCode).toBe(3);
});
