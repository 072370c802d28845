import { describe, expect, it } from "vitest";
import type { ScorerUnderTest } from "../../testing/scorer-under-test.ts";
import { startedScorers } from "../../testing/started-scorers.ts";

const scorers = startedScorers();

async function causeOf(scorer: ScorerUnderTest) {
  const { cause } = await scorer.until(({ phase }) => phase === "failed");
  return cause;
}

describe("a script that cannot be imported", () => {
  it("names the missing package, the user's file and line, and what to do; requests hear it too", async () => {
    const scorer = scorers.python(
      {
        "score.py": "import json\nimport helper\ndef run(data):\n    return 1\n",
        "helper.py": "import os\n\nfrom sklearn_missing.linear_model import Ridge\n",
      },
      { workers: 2 },
    );
    expect(await causeOf(scorer)).toMatchObject({
      code: "ImportError",
      message: "The Python package sklearn_missing is missing (helper.py, line 3): No module named 'sklearn_missing'.",
      nextAction: expect.stringContaining("Add sklearn_missing to the conda file's pip section"),
      file: "helper.py",
      line: 3,
      traceback: expect.stringContaining("ModuleNotFoundError"),
    });
    const answer = await scorer.score({});
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({ error: { code: "ImportError", file: "helper.py", line: 3 } });
    expect(answer.text).not.toContain("Traceback");
    await expect.poll(() => scorer.log()).toContain("worker-1 stderr: Traceback");
    expect((await scorer.ask("/")).text).toBe("Healthy");
    expect((await scorer.ask("/ready")).status).toBe(503);
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 0 }, { restarts: 0 }] });
  });

  it("names the package as the index calls it", async () => {
    const scorer = scorers.python(
      { "score.py": "import yaml\n" },
      { command: [process.env.SLIPWAY_TEST_PYTHON ?? "python3", "-S"] },
    );
    expect(await causeOf(scorer)).toMatchObject({
      message: expect.stringContaining("package pyyaml is missing (score.py, line 1)"),
    });
  });

  it("shows a syntax error with its line", async () => {
    const scorer = scorers.python({ "score.py": "import os\ndef run(data)\n    return 1\n" });
    expect(await causeOf(scorer)).toMatchObject({ code: "SyntaxError", file: "score.py", line: 2 });
  });

  it("shows any other exception, skipping a driver's frames", async () => {
    const driver = `
import importlib.util, os
spec = importlib.util.spec_from_file_location("behind", os.path.join(os.path.dirname(os.path.realpath(__file__)), "mine.py"))
driver_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver_module)
def init(): driver_module.init()
def run(http_body, request_headers): return driver_module.run(http_body)
`;
    const scorer = scorers.python({ "score.py": driver, "mine.py": "x = 1\ny = {}['k']\n" });
    expect(await causeOf(scorer)).toMatchObject({
      code: "ImportError",
      message: "The entry script raised KeyError: 'k' while it was imported (mine.py, line 2).",
    });
    const missing = scorers.python({ "score.py": driver });
    expect(await causeOf(missing)).toMatchObject({
      code: "EntryScriptNotFound",
      message: "The entry script mine.py is not in the image.",
    });
  });

  it("says that the entry script is missing, or has no run()", async () => {
    expect(await causeOf(scorers.python({ "other.py": "" }))).toMatchObject({
      code: "EntryScriptNotFound",
      message: "The entry script score.py is not in the image.",
    });
    expect(await causeOf(scorers.python({ "score.py": "def init(): pass\n" }))).toMatchObject({
      code: "EntryScriptInvalid",
      message: expect.stringContaining("score.py defines no function run()"),
    });
    expect(await causeOf(scorers.python({ "score.py": "def run(request_headers): pass\n" }))).toMatchObject({
      code: "EntryScriptInvalid",
      message: expect.stringContaining("no argument for the input"),
    });
  });

  it("says that the interpreter is missing", async () => {
    const scorer = scorers.python({ "score.py": "" }, { command: ["/nowhere/bin/python"] });
    expect(await causeOf(scorer)).toMatchObject({
      code: "WorkerNotStarted",
      message: expect.stringContaining("/nowhere/bin/python"),
    });
  });
});

it("a failure inside the standard library is told at the user's line", async () => {
  const scorer = scorers.python({ "score.py": "import os\nHOME = os.path.join(None, 'x')\n" });
  expect(await causeOf(scorer)).toMatchObject({ code: "ImportError", file: "score.py", line: 2 });
});

describe("an init() that fails", () => {
  it("shows the exception with file, line and traceback", async () => {
    const scorer = scorers.python({
      "score.py": `
import model_loader
def init():
    model_loader.load("model.pkl")
def run(data): return 1
`,
      "model_loader.py": "def load(name):\n    open('/nowhere/' + name)\n",
    });
    const cause = await causeOf(scorer);
    expect(cause).toMatchObject({
      code: "InitFailed",
      message:
        "init() raised FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/model.pkl' (model_loader.py, line 2).",
      nextAction: expect.stringContaining("AZUREML_MODEL_DIR"),
      file: "model_loader.py",
      line: 2,
    });
    expect(cause?.traceback).toContain("model_loader.load");
    expect(cause?.traceback).not.toContain("slipway_worker");
  });

  it("may import too: a missing package is an import error there as well", async () => {
    const scorer = scorers.python({ "score.py": "def init():\n    import cv2_missing\ndef run(data): return 1\n" });
    expect(await causeOf(scorer)).toMatchObject({ code: "ImportError", line: 2 });
  });

  it("is told when it calls sys.exit()", async () => {
    const scorer = scorers.python({
      "score.py": "import sys\ndef init():\n    sys.exit(3)\ndef run(data): return 1\n",
    });
    expect(await causeOf(scorer)).toMatchObject({
      code: "InitFailed",
      message: "init() called sys.exit(3) (score.py, line 3).",
    });
  });

  it("is given up after three attempts when it ends the process", async () => {
    const scorer = scorers.python({
      "score.py": "import os\ndef init():\n    print('bye')\n    os._exit(7)\ndef run(data): return 1\n",
    });
    expect(await causeOf(scorer)).toMatchObject({
      code: "WorkerCrashed",
      exitCode: 7,
      message: "worker-1 ended with exit code 7 while it was running init(). Its last words: bye",
    });
    expect(await scorer.state()).toMatchObject({ workers: [{ restarts: 2 }] });
  });

  it("is ended at the start's deadline, told where it was", async () => {
    const scorer = scorers.python(
      {
        "score.py": `
import waiting
def init():
    waiting.for_ever()
def run(data): return 1
`,
        "waiting.py": "def for_ever():\n    while True:\n        pass\n",
      },
      { startTimeoutMs: 5_000 },
    );
    const early = await scorer.until(({ workers }) => workers[0]?.phase === "starting");
    expect(early.phase).toBe("starting");
    const refused = await scorer.score({});
    expect(refused.status).toBe(503);
    expect(refused.json()).toMatchObject({ error: { code: "Starting" } });
    expect(await causeOf(scorer)).toMatchObject({
      code: "StartTimeout",
      message: expect.stringMatching(
        /^The service was not ready after 5 s; it was running init\(\) \(waiting\.py, line [23], in for_ever\)\.$/,
      ),
      file: "waiting.py",
      traceback: expect.stringContaining("for_ever"),
    });
  });

  it("is ended at the deadline too when it holds the interpreter's lock", async () => {
    const scorer = scorers.python(
      { "score.py": "def init():\n    sum(range(10 ** 12))\ndef run(data): return 1\n" },
      { startTimeoutMs: 5_000 },
    );
    expect(await causeOf(scorer)).toMatchObject({ code: "StartTimeout", file: "score.py", line: 2 });
  });
});
