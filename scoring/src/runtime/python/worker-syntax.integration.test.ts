import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { workerProgram } from "./worker-path.ts";

const folder = dirname(workerProgram);
const files = readdirSync(folder).filter((name) => name.endsWith(".py"));
const PYTHON = process.env.SLIPWAY_TEST_PYTHON ?? "python3";

it.each(files)("%s is Python 3.6 and imports nothing but the standard library", (name) => {
  const program = `
import ast, json, sys
tree = ast.parse(sys.stdin.read(), feature_version=(3, 6))
names = set()
for node in ast.walk(tree):
    if isinstance(node, ast.Import):
        names.update(alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names.add(node.module.split(".")[0])
known = getattr(sys, "stdlib_module_names", names)
print(json.dumps(sorted(names - set(known) - {"slipway_worker"})))
`;
  const foreign = execFileSync(PYTHON, ["-c", program], { input: readFileSync(join(folder, name)), encoding: "utf8" });
  // Flask is only imported for a script that has imported it before.
  expect(JSON.parse(foreign)).toEqual(name === "call_style.py" ? ["flask"] : []);
});
