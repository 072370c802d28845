import { randomBytes } from "node:crypto";
import { mkdtemp, open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Installation, repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark, Context } from "./benchmark.ts";
import { pushBase } from "./measure/base-image.ts";
import { peakMemoryMiB, resetPeakMemory } from "./measure/process-memory.ts";
import { SCIKIT_LEARN } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";

const MIB = 1024 * 1024;
const AZUREML = ["azureml-defaults"];

export const image: Benchmark = {
  name: "image",
  compares: "Building images: a new environment, a new script, a new model, and the memory that a large model takes.",
  help: `Times \`slipway image create\`; "build" is from the first to the last line of the build log, "command" has Node's start and the upload of the
script as well. Each round has a new data folder; downloaded packages and bytecode are in the user's cache folder, as after a first build.
Models are registered before. The base is made of Debian packages by scripts/make-base-image.ts. The peak memory is the control plane's
(VmHWM) while it builds an image with a sparse model of 4 GiB, after all the builds before.

2 rounds, about 4 minutes and 10 GiB in the temporary folder. --quick: 1 round without azureml-defaults, with 64 MiB, about a minute.`,
  metrics: [
    { title: "build s", decimals: 2 },
    { title: "command s", decimals: 2 },
    { title: "control plane MiB", decimals: 0 },
  ],
  async run(context) {
    const [rounds, modelMiB, largeMiB] = context.quick ? [1, 8, 64] : [2, 100, 4096];
    const facts: Record<string, string | number> = { "model MiB": modelMiB, "large model MiB": largeMiB };
    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      const slipway = await startSlipway(context);
      await pushBase(slipway);
      const project = await projectOf(context, slipway);
      await project.register("small", 1, "random");
      await project.register("other", modelMiB, "random");

      await project.writeScript("first");
      yield {
        name: "scikit-learn, packages downloaded before",
        values: await project.build("sklearn", "small", SCIKIT_LEARN),
      };
      await project.writeScript("second");
      yield { name: "score.py changed", values: await project.build("sklearn", "small", SCIKIT_LEARN) };
      yield { name: "new model, environment known", values: await project.build("sklearn", "other", SCIKIT_LEARN) };
      if (!context.quick) {
        yield {
          name: "azureml-defaults, packages downloaded before",
          values: await project.build("azureml", "small", AZUREML),
        };
      }
      await project.register("large", largeMiB, "sparse");
      const { pid } = await slipway.health();
      await resetPeakMemory(pid);
      const values = await project.build("sklearn", "large", SCIKIT_LEARN);
      yield { name: "large model", values: { ...values, "control plane MiB": await peakMemoryMiB(pid) } };
      await slipway.dispose();
    });
    return { lines, facts };
  },
};

async function projectOf(context: Context, slipway: Installation) {
  const folder = await mkdtemp(join(context.folder, "image-"));
  const script = join(folder, "score.py");
  const program = [process.execPath, join(repository, "cli/bin/slipway.js")];
  const ask = async (args: readonly string[]) => {
    const { stdout } = await slipway.slipway([...args, "--output", "json"]);
    return JSON.parse(stdout) as unknown;
  };

  async function buildSeconds(name: string): Promise<number> {
    const { content } = (await ask(["image", "logs", name])) as { readonly content: string };
    const times = content
      .trim()
      .split("\n")
      .map((line) => Date.parse(line.slice(0, line.indexOf(" "))));
    return ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
  }

  return {
    writeScript: (text: string) => writeFile(script, `def init():\n    pass\ndef run(raw):\n    return "${text}"\n`),

    async register(name: string, sizeMiB: number, content: "random" | "sparse"): Promise<void> {
      const file = join(folder, `${name}.bin`);
      if (content === "random") await writeRandom(file, sizeMiB);
      else {
        await writeFile(file, name);
        await truncate(file, sizeMiB * MIB);
      }
      await slipway.slipway(["model", "register", "--name", name, file], { timeoutMs: 300_000 });
    },

    async build(name: string, model: string, packages: readonly string[]): Promise<Record<string, number>> {
      const conda = join(folder, `${name}.yml`);
      const requirements = packages.map((line) => `    - ${line}\n`).join("");
      await writeFile(conda, `dependencies:\n  - python=3.11\n  - pip:\n${requirements}`);
      const command = ["image", "create", name, "--model", model, "--script", script, "--conda", conda];
      const { total } = await timeProgram([...program, ...command], { env: { SLIPWAY_DATA: slipway.dataFolder } });
      return { "build s": await buildSeconds(name), "command s": total };
    },
  };
}

async function writeRandom(path: string, sizeMiB: number): Promise<void> {
  await using file = await open(path, "w");
  for (let piece = 0; piece < sizeMiB; piece += 1) await file.write(randomBytes(MIB));
}
