import { appendFile, cp, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Installation, repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { genuineClient } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startCold } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";

/** Pinned, because a resolver that may choose takes a release of 2020 rather than an older numpy. */
const AZUREML_DEFAULTS = "azureml-defaults==1.62.0";

/** deploy.py says these when a phase is over. */
const PHASES = ["Workspace:", "Model:", "Image:", "Service:", "Predicted:"] as const;
const [CONNECTED, REGISTERED, BUILT, DEPLOYED, ANSWERED] = PHASES;

export const script: Benchmark = {
  name: "script",
  compares:
    "The diabetes script with the genuine azureml-core: on a fresh machine, with a known environment, and its import alone.",
  help: `Runs examples/diabetes/deploy.py, unchanged, through \`slipway exec\` and times it from the start of the command until the first answer
of the service. Cold means a new data folder and a new cache folder: uv, packages and bytecode are fetched and made again, as fast as
the package index answers. Then everything is deleted (--clean) and the script runs again in the same data folder. Python imports
azureml.core before it can do anything: that share is measured alone. The heavy environment has azureml-defaults as well (once).

3 rounds, about 2 minutes. --quick: 1 round without the heavy environment, about 20 seconds.`,
  metrics: ["first answer s", "connect s", "train, register s", "build s", "deploy s", "score s"].map((title) => ({
    title,
    decimals: 1,
  })),
  async run(context) {
    const python = genuineClient();
    const lines = await collectRounds(context, context.quick ? 1 : 3, async function* (round): AsyncIterable<Measured> {
      yield { name: "import azureml.core alone", values: { "first answer s": await importAlone(python) } };
      const slipway = await startCold(context);
      const project = await projectFolder(context);
      yield { name: "cold", values: await runScript(slipway, python, project) };
      await timeProgram(command(slipway, python, project, "--clean"), { cwd: project });
      yield { name: "environment known", values: await runScript(slipway, python, project) };
      await slipway.dispose();
      if (round > 1 || context.quick) return;
      const heavy = await startCold(context);
      const heavyProject = await projectFolder(context, AZUREML_DEFAULTS);
      yield { name: "cold, with azureml-defaults", values: await runScript(heavy, python, heavyProject) };
      await heavy.dispose();
    });
    return { lines, facts: { script: "examples/diabetes/deploy.py", "heavy environment": AZUREML_DEFAULTS } };
  },
};

async function runScript(slipway: Installation, python: string, project: string) {
  const { lines } = await timeProgram(command(slipway, python, project), { cwd: project, lines: PHASES });
  const at = (phase: (typeof PHASES)[number]) => lines[phase] ?? Number.NaN;
  return {
    "first answer s": at(ANSWERED),
    "connect s": at(CONNECTED),
    "train, register s": at(REGISTERED) - at(CONNECTED),
    "build s": at(BUILT) - at(REGISTERED),
    "deploy s": at(DEPLOYED) - at(BUILT),
    "score s": at(ANSWERED) - at(DEPLOYED),
  };
}

async function importAlone(python: string): Promise<number> {
  return (await timeProgram([python, "-W", "ignore", "-c", "import azureml.core"])).total;
}

function command(slipway: Installation, python: string, project: string, ...args: readonly string[]): string[] {
  const launcher = join(repository, "cli/bin/slipway.js");
  const deploy = join(project, "deploy.py");
  return [
    process.execPath,
    launcher,
    "exec",
    "--data",
    slipway.dataFolder,
    "--",
    python,
    "-W",
    "ignore",
    deploy,
    ...args,
  ];
}

async function projectFolder(context: Context, ...packages: readonly string[]): Promise<string> {
  const project = await mkdtemp(join(context.folder, "project-"));
  for (const name of ["deploy.py", "score.py", "myenv.yml"])
    await cp(join(repository, "examples/diabetes", name), join(project, name));
  // The list of pip packages is at the end of the file.
  await appendFile(join(project, "myenv.yml"), packages.map((name) => `      - ${name}\n`).join(""));
  return project;
}
