// The dependency rule, by dependency-cruiser. It passes when it can parse nothing, so the number of modules is checked, too.
import { execFileSync, spawnSync } from "node:child_process";

const folders = ["api", "server", "gateway", "scoring", "client", "cli", "e2e", "bench"];
const files = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", ...folders.map((folder) => `${folder}/src/*.ts`)],
  { encoding: "utf8" },
);
const expected = files.trim().split("\n").length;
const { status, stdout, stderr } = spawnSync(
  "depcruise",
  ["--config", ".dependency-cruiser.cjs", ...folders.map((folder) => `${folder}/src`)],
  { encoding: "utf8" },
);
process.stdout.write(stdout);
process.stderr.write(stderr);
const cruised = Number(/(\d+) modules/.exec(stdout)?.[1] ?? 0);
if (status === 0 && cruised < expected) {
  console.error(`Only ${cruised} modules were read, but there are ${expected} files: the parser does not work.`);
  process.exit(1);
}
process.exit(status ?? 1);
