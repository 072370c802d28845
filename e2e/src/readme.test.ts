import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasGenuineClient, type Installation, repository, startInstallation } from "./harness/installation.ts";

/** What the client prints while it waits: the state, a dot for each time that it asks, and lines of the operation's log. */
const WAITING = /^((NotStarted|Running)?\.*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d .*)$/;

/** Times, ports, paths and random ids differ from run to run; everything else of the transcript must be true. */
function comparable(text: string): string[] {
  return text
    .replaceAll("Succeeded\nACI service", "SucceededACI service")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\d+ ms/g, "N ms")
    .replaceAll(/localhost:\d+/g, "localhost:PORT")
    .replaceAll(/Replica [a-z0-9]+-0/g, "Replica ID")
    .replaceAll(/\S+\/\.azureml\/config\.json/g, "FOLDER/.azureml/config.json")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => !WAITING.test(line));
}

describe.skipIf(!hasGenuineClient)("the README", () => {
  let slipway: Installation;
  let folder: string;
  beforeAll(async () => {
    slipway = await startInstallation();
    folder = await mkdtemp(join(tmpdir(), "slipway-readme-"));
  });
  afterAll(async () => {
    await slipway?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  test("its transcript is what the genuine client prints today", async () => {
    const readme = await readFile(join(repository, "README.md"), "utf8");
    const shown = /\$ npx slipway exec -- python deploy\.py\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    await cp(join(repository, "examples/diabetes"), folder, { recursive: true });
    const { code, stdout, stderr, output } = await slipway.python(join(folder, "deploy.py"), [], { cwd: folder });
    expect(code, output).toBe(0);
    const [notice = "", ...printed] = comparable(shown);
    expect(comparable(stderr)).toContain(notice);
    expect(comparable(stdout)).toEqual(printed);
  });

  test("the script it shows is the example's", async () => {
    const readme = await readFile(join(repository, "README.md"), "utf8");
    const shown = /```python\n([\s\S]*?)```/.exec(readme)?.[1] ?? "missing";
    expect(await readFile(join(repository, "examples/diabetes/deploy.py"), "utf8")).toContain(shown);
  });
});
