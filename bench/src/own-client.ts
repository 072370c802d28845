import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, type Installation, repository } from "../../e2e/src/harness/installation.ts";
import { trusting } from "../../e2e/src/harness/sdk.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { pythonPrograms, SCIKIT_LEARN } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startCold } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";
import { trainModel } from "./measure/trained-model.ts";

const DEADLINE_MS = 300_000;
const SERVICE = "diabetes";

export const ownClient: Benchmark = {
  name: "own-client",
  compares:
    "Our command line: from files to the first answer on a fresh machine, after a change of score.py, and an update to a built image.",
  help: `Times \`slipway service deploy\` and \`slipway service update\` with the diabetes example: until the command ends, and until the scoring
address gives the new answer (asked every 50 ms). Cold means a new data folder and a new cache folder: uv, packages and
bytecode are fetched and made again. Then only score.py changes (upload, build, update), and at last the service is updated back to the
image that was built first.

3 rounds, about 1 minute. --quick: 1 round, about 20 seconds.`,
  metrics: [
    { title: "new answer s", decimals: 2 },
    { title: "command s", decimals: 2 },
  ],
  async run(context) {
    const python = join(await pythonPrograms(SCIKIT_LEARN), "python");
    const lines = await collectRounds(context, context.quick ? 1 : 3, async function* (): AsyncIterable<Measured> {
      const slipway = await startCold(context);
      const project = await projectOf(context, python);
      const act = (verb: "deploy" | "update", wanted: number, what: readonly string[]) =>
        untilAnswered(slipway, project.rows, wanted, ["service", verb, SERVICE, ...what]);

      await project.writeScript(1);
      yield { name: "files to service, cold", values: await act("deploy", 1, project.files) };
      await project.writeScript(2);
      yield { name: "score.py changed: build and update", values: await act("update", 2, project.files) };
      yield { name: "update to a built image", values: await act("update", 1, ["--image", `${SERVICE}:1`]) };
      await slipway.dispose();
    });
    return { lines, facts: { environment: "python 3.11, scikit-learn, numpy, joblib (examples/diabetes/myenv.yml)" } };
  },
};

async function projectOf(context: Context, python: string) {
  const folder = await mkdtemp(join(context.folder, "project-"));
  const { file, rows } = await trainModel(python, folder);
  const example = join(repository, "examples/diabetes");
  const text = await readFile(join(example, "score.py"), "utf8");
  const scriptFile = join(folder, "score.py");
  return {
    rows,
    files: ["--model", `diabetes=${file}`, "--script", scriptFile, "--conda", join(example, "myenv.yml")],
    /** The example's score.py, whose answer begins with a version. */
    writeScript: (version: number) =>
      writeFile(scriptFile, text.replace("return model", `return [${version}] + model`)),
  };
}

/** Runs the command, and meanwhile asks the service all the time until it answers with the wanted version. */
async function untilAnswered(slipway: Installation, rows: unknown, wanted: number, args: readonly string[]) {
  const fetch = await trusting(slipway);
  const body = JSON.stringify({ data: rows });
  const url = `${slipway.gatewayUrl}/api/v1/service/${SERVICE}/score`;
  const began = performance.now();
  const command = timeProgram([process.execPath, join(repository, "cli/bin/slipway.js"), ...args], {
    env: { SLIPWAY_DATA: slipway.dataFolder },
  });
  const answered = eventually(async () => {
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
    const [version] = response.ok ? ((await response.json()) as number[]) : [await response.text()];
    return version === wanted ? (performance.now() - began) / 1000 : undefined;
  }, DEADLINE_MS);
  const [{ total }, newAnswer] = await Promise.all([command, answered]);
  return { "new answer s": newAnswer, "command s": total };
}
