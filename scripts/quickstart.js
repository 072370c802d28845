// `npm run quickstart`: from training a model to a service that is updated under traffic, on this machine, with real parts only.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify, styleText } from "node:util";
import { ensureDebianPackages } from "./debian-packages.js";
import { drawAnswer } from "./quickstart/draw-digit.js";
import { startServer } from "./quickstart/own-server.js";
import { makePythonEnvironment } from "./quickstart/python-environment.js";
import { keepAsking } from "./quickstart/traffic.js";

// The checkout's packages are used from their sources.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: [...context.conditions, "slipway-source"] }),
});
const { buildImage } = await import("../cli/src/deploy/build-image.ts");
const { curlFor, deployService, updateService } = await import("../cli/src/deploy/deploy-service.ts");
const { waitFor } = await import("../cli/src/deploy/wait-for.ts");
const { interruptSignal } = await import("../cli/src/interrupt.ts");
const { openSession } = await import("../cli/src/session.ts");
const { duration } = await import("../cli/src/terminal/format.ts");
const { createProgress } = await import("../cli/src/terminal/progress.ts");
const { showError } = await import("../cli/src/terminal/show-error.ts");

const run = promisify(execFile);
const example = fileURLToPath(new URL("../examples/handwritten-digits/", import.meta.url));
const program = { script: join(example, "score.py"), conda: join(example, "environment.yml") };
const NAME = "digits";

const started = Date.now();
const folder = await mkdtemp(join(tmpdir(), "slipway-"));
const signal = interruptSignal();
const { step } = createProgress(process.stderr, false);
let server;
let failed = false;

try {
  say("A classifier of handwritten digits: trained, registered, built, deployed, and updated under traffic.");
  say(dim(`Everything lies in ${folder}; it is stopped and removed at the end.`), "");
  ensureDebianPackages([
    { name: "bubblewrap", program: "bwrap", why: "it keeps a model's code apart from the rest of this machine" },
  ]);

  server = await step("Start Slipway", () => startServer(join(folder, "data"), signal));
  await step("Train two models with scikit-learn", async ({ now, log }) => {
    now("making a Python environment");
    const python = await makePythonEnvironment(join(folder, "venv"), ["scikit-learn==1.7.2"], signal);
    now("training");
    const { stdout } = await run(python, [join(example, "train.py"), folder], { signal });
    for (const line of stdout.trim().split("\n")) log(line);
  });
  const sample = JSON.parse(await readFile(join(folder, "sample.json"), "utf8"));
  const sampleInput = JSON.stringify({ data: sample.data });

  const session = await openSession({ data: join(folder, "data"), output: "text" });
  const { services, images, models } = session.client;
  const weak = { name: NAME, models: [`${NAME}=${join(folder, "digits-1.pkl")}`], ...program, sampleInput };
  const image = await buildImage(session, weak);
  const service = await deployService(session, { name: NAME, image: image.id, cpu: 1, memory: 1, auth: true });
  say("", "Any program on this machine can ask it:", dim(await curlFor(session, service, '{"data": [...]}')));

  const score = await services.scorer(NAME);
  const [first] = await score(sampleInput);
  say("", drawAnswer(sample.data[0], first.probabilities, `Model 1 reads ${first.digit}; it is ${sample.label}.`), "");

  const traffic = keepAsking(() => score(sampleInput));
  await updateService(session, {
    name: NAME,
    model: [`${NAME}=${join(folder, "digits-2.pkl")}`],
    ...program,
    sampleInput,
  });
  const { answers, failures, longestMs } = await traffic.stop();
  say(
    `  ${answers} requests were answered meanwhile, ${failures.length} failed; the slowest took ${duration(longestMs)}.`,
  );
  if (failures.length > 0) throw new Error("Requests failed during the update.", { cause: failures[0] });

  const [second] = await score(sampleInput);
  say(
    "",
    drawAnswer(sample.data[0], second.probabilities, `Model 2 reads ${second.digit}; it is ${sample.label}.`),
    "",
  );
  say("Its log says:", dim((await services.logs(NAME)).trim().split("\n").slice(-4).join("\n")), "");

  await step("Clean up", async (current) => {
    const deleting = await services.delete(NAME);
    if (deleting !== undefined) await waitFor(session, deleting.operationId, current);
    for (const { id } of await images.list({ name: NAME })) await images.delete(id);
    for (const { id } of await models.list({ name: NAME })) await models.delete(id);
  });
} catch (error) {
  failed = true;
  process.exitCode = signal.aborted ? 130 : 1;
  process.stderr.write(signal.aborted ? "\nInterrupted.\n" : showFailure(error));
} finally {
  // Another Ctrl-C must not leave the server behind.
  for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => {});
  if (server !== undefined) await step("Stop Slipway", () => server.stop());
  if (failed && !signal.aborted)
    say(`Logs are in ${join(folder, "data", "logs")}; remove ${folder} when you are done.`);
  else await rm(folder, { recursive: true, force: true });
}
if (!failed)
  say(
    "",
    bold(`Done in ${duration(Date.now() - started)}.`),
    "Next: examples/ has this one and the classic script for Azure ML SDK v1.",
  );

function dim(text) {
  return styleText("dim", text, { stream: process.stderr });
}

function bold(text) {
  return styleText("bold", text, { stream: process.stderr });
}

function say(...lines) {
  process.stderr.write(`${lines.join("\n")}\n`);
}

/** A program that failed says why on its own standard error. */
function showFailure(error) {
  const output = typeof error.stderr === "string" ? error.stderr.trim() : "";
  const cause = error.cause === undefined ? "" : showError(error.cause, false);
  if (error.code === "ENOENT" && error.path === "python3")
    return "✗ python3 is not installed. Training needs Python 3.9 or newer.\n";
  return `${showError(error, false)}${cause}${output === "" ? "" : `${output}\n`}`;
}
