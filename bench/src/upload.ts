import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../../e2e/src/harness/installation.ts";
import type { Benchmark } from "./benchmark.ts";
import { peakMemoryMiB, resetPeakMemory } from "./measure/process-memory.ts";
import { genuineClient } from "./measure/python-environment.ts";
import { collectRounds, type Measured } from "./measure/rounds.ts";
import { startSlipway } from "./measure/started-slipway.ts";
import { timeProgram } from "./measure/timed-program.ts";
import { pythonFolder } from "./measure/trained-model.ts";

const MIB = 1024 * 1024;
const COPY = "cp + sha256sum";

export const upload: Benchmark = {
  name: "upload",
  compares:
    "Registering a model of 1 GiB, with our command line and with the genuine client, beside cp + sha256sum on the same disk.",
  help: `Times whole commands, so that Node's start and the genuine client's import count (Model.register alone is measured beside it). The file
is in the page cache for all, and each gets bytes that were never uploaded before. Slipway answers when the bytes are on the disk (fsync);
cp does not wait for that, so there is a line with sync as well. All keep what they wrote. The peak memory is the control plane's (VmHWM).

3 rounds, about 90 seconds and 13 GiB in the temporary folder. --quick: 1 round with 64 MiB, about 10 seconds.`,
  metrics: [
    { title: "seconds", decimals: 2 },
    { title: "MiB/s", decimals: 0 },
    { title: "Model.register s", decimals: 2 },
    { title: "control plane MiB", decimals: 0 },
  ],
  base: COPY,
  async run(context) {
    const [rounds, sizeMiB] = context.quick ? [1, 64] : [3, 1024];
    const python = genuineClient();
    const slipway = await startSlipway(context);
    const { pid } = await slipway.health();
    const program = [process.execPath, join(repository, "cli/bin/slipway.js")];
    const data = ["--data", slipway.dataFolder];
    const file = join(context.folder, "weights.bin");
    let copies = 0;
    await writeRandomFile(file, sizeMiB);
    await resetPeakMemory(pid);
    const atRest = await peakMemoryMiB(pid);

    async function shell(line: string): Promise<Record<string, number>> {
      await freshen(file, sizeMiB);
      // A removed copy would give its memory to the next one, which Slipway, keeping what it is given, never gets.
      const copy = join(context.folder, `copy-${copies++}.bin`);
      const { total } = await timeProgram(["sh", "-ec", line, "sh", file, copy]);
      return rate(total);
    }

    async function register(command: readonly string[], said: readonly string[] = []) {
      await freshen(file, sizeMiB);
      await resetPeakMemory(pid);
      const { total, output } = await timeProgram(command, { cwd: context.folder, lines: said });
      return { values: { ...rate(total), "control plane MiB": await peakMemoryMiB(pid) }, output };
    }

    const rate = (seconds: number) => ({ seconds, "MiB/s": sizeMiB / seconds });

    const lines = await collectRounds(context, rounds, async function* (): AsyncIterable<Measured> {
      yield { name: COPY, values: await shell('cp "$1" "$2"; sha256sum "$2"') };
      const own = await register([...program, "model", "register", ...data, "--name", "weights", file]);
      yield { name: "slipway model register", values: own.values };
      yield { name: `${COPY} + sync`, values: await shell('cp "$1" "$2"; sync "$2"; sha256sum "$2"') };
      const script = [python, "-W", "ignore", join(pythonFolder, "register.py"), file];
      const genuine = await register([...program, "exec", ...data, "--", ...script], ["register took"]);
      const alone = Number(/^register took (.+)$/m.exec(genuine.output)?.[1]);
      yield { name: "genuine azureml-core", values: { ...genuine.values, "Model.register s": alone } };
    });
    return { lines, facts: { "size MiB": sizeMiB, "control plane at rest MiB": Math.round(atRest) } };
  },
};

async function writeRandomFile(path: string, sizeMiB: number): Promise<void> {
  await using file = await open(path, "w");
  for (let piece = 0; piece < sizeMiB; piece += 1) await file.write(randomBytes(MIB));
  await file.sync();
}

/** Other bytes in each MiB, so that nothing of it was seen before; on the disk, so that no measurement pays for it. */
async function freshen(path: string, sizeMiB: number): Promise<void> {
  await using file = await open(path, "r+");
  for (let piece = 0; piece < sizeMiB; piece += 1) await file.write(randomBytes(16), 0, 16, piece * MIB);
  await file.sync();
}
