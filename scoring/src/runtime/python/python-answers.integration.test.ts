import { describe, expect, it } from "vitest";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

describe("what run() gets", () => {
  it("is the body as text, after init() was called once", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
import json, os
calls = {"init": 0, "run": 0}
def init():
    calls["init"] += 1
def run(data):
    calls["run"] += 1
    return {"type": type(data).__name__, "sum": sum(json.loads(data)["data"]), "folder": os.getcwd(), **calls}
`,
    });
    expect(await scorer.state()).toMatchObject({
      nonce: "nonce-1",
      replicaId: "r1",
      inFlight: 0,
      workers: [{ phase: "ready", restarts: 0 }],
      timings: { interpreter: expect.any(Number), import: expect.any(Number), init: expect.any(Number) },
    });
    const first = await scorer.score({ data: [1, 2, 3] });
    expect(first.status).toBe(200);
    expect(first.headers).toMatchObject({ "content-type": "application/json", "x-ms-run-function-failed": "false" });
    expect(first.json()).toEqual({ type: "str", sum: 6, folder: `${scorer.runFolder}/app`, init: 1, run: 1 });
    expect((await scorer.score({ data: [4] })).json()).toMatchObject({ sum: 4, init: 1, run: 2 });
  });

  it("is the text whatever the content type says, and the headers under their v1 names", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
def run(raw_data, request_headers):
    return [raw_data, request_headers["Content-Type"], request_headers.get("x-my-header"), sorted(dict(request_headers))[0], "nope" in request_headers]
`,
    });
    const answer = await scorer.ask("/score", {
      method: "POST",
      body: "größer",
      headers: { "content-type": "text/csv", "x-my-header": "7" },
    });
    expect(answer.json()).toEqual(["größer", "text/csv", "7", "Content-Length", false]);
  });

  it("is the query as JSON for GET", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "import json\ndef run(data):\n    return json.loads(data)\n",
    });
    const answer = await scorer.ask("/score?a=1&b=[1,2]&c=x&c=y&d=null&e=");
    expect(answer.json()).toEqual({ a: 1, b: [1, 2], c: ["x", "y"], d: null, e: "" });
  });

  it("comes through a generated driver to the script behind it", async () => {
    const driver = `
import importlib.util, os
spec = importlib.util.spec_from_file_location("behind", os.path.join(os.path.dirname(os.path.realpath(__file__)), "src/model_code.py"))
driver_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver_module)
def init():
    driver_module.init()
def run(http_body, request_headers):
    return driver_module.run(http_body)
`;
    const script = `
import os
state = []
def init():
    state.append("init")
def run(text):
    return [text, state]
`;
    const scorer = await scorers.readyPython({ "score.py": driver, "src/model_code.py": script });
    expect((await scorer.score([1])).json()).toEqual(["[1]", ["init"]]);
  });

  it("may be ten megabytes", async () => {
    const scorer = await scorers.readyPython({ "score.py": "def run(data):\n    return data\n" });
    const body = "x".repeat(10 * 1024 * 1024);
    const answer = await scorer.ask("/score", { method: "POST", body });
    expect(answer.status).toBe(200);
    expect(answer.json()).toBe(body);
  });

  it("is refused with 413 beyond the limit and with 400 when it is no text", async () => {
    const scorer = await scorers.readyPython(
      { "score.py": "def run(data):\n    return data\n" },
      { maxBodyBytes: 1000 },
    );
    const large = await scorer.ask("/score", { method: "POST", body: "x".repeat(1001) });
    expect(large.status).toBe(413);
    expect(large.json()).toMatchObject({
      error: { code: "BodyTooLarge", message: expect.stringContaining("1000 bytes") },
    });
    const chunked = await scorer.ask("/score", {
      method: "POST",
      body: "x".repeat(200_000),
      headers: { "transfer-encoding": "chunked" },
    });
    expect(chunked.status).toBe(413);
    const binary = await scorer.ask("/score", { method: "POST", body: new Uint8Array([0x61, 0xff, 0xfe]) });
    expect(binary.status).toBe(400);
    expect(binary.json()).toMatchObject({ error: { code: "BodyNotText", message: expect.stringContaining("byte 1") } });
  });
});

describe("what run() returns", () => {
  const cases: readonly (readonly [what: string, expression: string, json: unknown])[] = [
    ["a str as a JSON string", "'[1, 2]'", "[1, 2]"],
    ["None as an empty object, as v1 does", "None", {}],
    ["a dict", "{'a': [1.5, True, None, 'ä']}", { a: [1.5, true, null, "ä"] }],
    ["a number", "0.25", 0.25],
  ];
  it.each(cases)("sends %s", async (_, expression, json) => {
    const scorer = await scorers.readyPython({ "score.py": `def run(data):\n    return ${expression}\n` });
    const answer = await scorer.score({});
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual(json);
  });

  it("says which type cannot be sent, and what to do", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
class Strange: pass
values = {"bytes": b"x", "set": {1}, "object": Strange(), "keys": {(1, 2): 3}, "deep": []}
values["deep"].append(values["deep"])
def run(data):
    import json
    return {"result": values[json.loads(data)]}
`,
    });
    const message = async (name: string) => {
      const answer = await scorer.score(name);
      expect(answer.status).toBe(424);
      expect(answer.headers["x-ms-run-function-failed"]).toBe("true");
      const { error } = answer.json() as { error: { code: string; message: string } };
      expect(error.code).toBe("ResultNotSerializable");
      return error.message;
    };
    expect(await message("bytes")).toContain("type bytes");
    expect(await message("set")).toContain("Return list(…) instead");
    expect(await message("object")).toContain("score.Strange");
    expect(await message("keys")).toContain("keys must be");
    expect(await message("deep")).toContain("Circular reference");
  });

  it("is passed through when it is a response", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
class Response:
    status_code = 201
    headers = {"Content-Type": "image/png", "X-Mine": "1", "Content-Length": "9999", "Transfer-Encoding": "chunked"}
    def get_data(self): return bytes([0, 255, 137, 80])
class Broken(Response):
    headers = {"X-Broken": "a\\r\\nb"}
def run(data):
    return Broken() if "broken" in data else Response()
`,
    });
    const answer = await scorer.score({});
    expect([answer.status, answer.headers["content-type"], answer.headers["x-mine"]]).toEqual([201, "image/png", "1"]);
    expect(answer.headers["content-length"]).toBe("4");
    const broken = await scorer.score("broken");
    expect(broken.status).toBe(424);
    expect(broken.json()).toMatchObject({
      error: { code: "AnswerInvalid", message: expect.stringContaining("x-broken") },
    });
    expect((await scorer.score({})).status).toBe(201);
  });

  it("is streamed when it is a generator, and awaited when it is a coroutine", async () => {
    const scorer = await scorers.readyPython({
      "score.py": `
import asyncio, json
def run(data):
    return {"lines": lines, "text": text, "later": later, "async": async_lines}[json.loads(data)]()
def lines():
    for n in range(3):
        yield {"n": n}
def text():
    yield "a"
    yield "ä"
async def later():
    await asyncio.sleep(0.001)
    return "done"
async def async_lines():
    for n in range(2):
        await asyncio.sleep(0.001)
        yield [n]
`,
    });
    const lines = await scorer.score("lines");
    expect(lines.headers["content-type"]).toBe("application/x-ndjson");
    expect(lines.text).toBe('{"n": 0}\n{"n": 1}\n{"n": 2}\n');
    expect((await scorer.score("text")).text).toBe("aä");
    expect((await scorer.score("later")).json()).toBe("done");
    expect((await scorer.score("async")).text).toBe("[0]\n[1]\n");
  });
});

describe("when run() fails", () => {
  const script = `
import sys
def init(): pass

def helper(data):
    return data["missing"]

def run(data):
    if "exit" in data:
        sys.exit("enough")
    return helper({})
`;

  it("answers 424 with the exception, file and line, and logs the traceback with the request's id", async () => {
    const scorer = await scorers.readyPython({ "score.py": script });
    const answer = await scorer.ask("/score", { method: "POST", body: "{}", headers: { "x-request-id": "req-17" } });
    expect(answer.status).toBe(424);
    expect(answer.headers["x-ms-run-function-failed"]).toBe("true");
    expect(answer.json()).toEqual({
      error: {
        code: "RunFailed",
        message: "run() raised KeyError: 'missing' (score.py, line 6).",
        file: "score.py",
        line: 6,
        requestId: "req-17",
      },
    });
    await expect.poll(() => scorer.log()).toContain("worker-1 stderr: [req-17] run() raised KeyError");
    await expect.poll(() => scorer.log()).toContain("worker-1 stderr: [req-17] KeyError: 'missing'");
    expect(scorer.log()).not.toContain("slipway_worker");
  });

  it("survives sys.exit() in run()", async () => {
    const scorer = await scorers.readyPython({ "score.py": script });
    const answer = await scorer.score("exit");
    expect(answer.status).toBe(424);
    expect(answer.json()).toMatchObject({ error: { message: expect.stringContaining("called sys.exit('enough')") } });
    expect(await scorer.state()).toMatchObject({ phase: "ready", workers: [{ restarts: 0 }] });
  });

  it("answers 500 when v1's codes are asked for", async () => {
    const scorer = await scorers.readyPython({ "score.py": script }, { legacyStatusCodes: true });
    expect((await scorer.score({})).status).toBe(500);
  });

  it("breaks a stream off so that the caller notices", async () => {
    const scorer = await scorers.readyPython({
      "score.py": "def run(data):\n    yield 'one'\n    raise ValueError('no more')\n",
    });
    await expect(scorer.score({})).rejects.toThrow();
    await expect.poll(() => scorer.log()).toContain("ValueError: no more");
    expect(await scorer.state()).toMatchObject({ phase: "ready", inFlight: 0 });
  });
});

it("shows what the script prints at once, with the request's id and trace", async () => {
  const scorer = await scorers.readyPython({
    "score.py": `
import logging, sys, threading
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
print("while importing")
def run(data):
    print("hello äöü", 1, "two\\nlines")
    logging.info("logged")
    print("oh", file=sys.stderr)
    thread = threading.Thread(target=print, args=("elsewhere",))
    thread.start()
    thread.join()
    return 1
`,
  });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await scorer.ask("/score", { method: "POST", body: "", headers: { "x-request-id": "r-1", traceparent } });
  const tag = "[r-1 trace=4bf92f3577b34da6a3ce929d0e0e4736]";
  await expect.poll(() => scorer.log()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z worker-1 stdout: while importing$/m);
  await expect.poll(() => scorer.log()).toContain(`worker-1 stdout: ${tag} hello äöü 1 two\n`);
  await expect.poll(() => scorer.log()).toContain(`worker-1 stdout: ${tag} lines\n`);
  await expect.poll(() => scorer.log()).toContain(`worker-1 stderr: ${tag} INFO logged\n`);
  await expect.poll(() => scorer.log()).toContain(`worker-1 stderr: ${tag} oh\n`);
  await expect.poll(() => scorer.log()).toContain("worker-1 stdout: elsewhere\n");
});

it("leaves thread counts and telemetry of libraries to the image where it sets them", async () => {
  const script = {
    "score.py":
      "import os\ndef run(data):\n    return [os.environ[n] for n in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'ORT_DISABLE_TELEMETRY')]\n",
  };
  const scorer = await scorers.readyPython(script, { threads: 3, env: { MKL_NUM_THREADS: "8" } });
  expect((await scorer.score({})).json()).toEqual(["3", "8", "1"]);
  const other = await scorers.readyPython(script, {
    threads: 3,
    env: { ORT_DISABLE_TELEMETRY: "0", MKL_NUM_THREADS: "8" },
  });
  expect((await other.score({})).json()).toEqual(["3", "8", "0"]);
});
