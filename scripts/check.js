// Everything a reviewer's machine can say without running a test: format, lint, types, boundaries, dead code, generated files.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";

const checks = [
  ["format and lint", "biome", ["ci", "--colors=off", "--error-on-warnings", "."]],
  ["types", "tsc", ["-b"]],
  ["boundaries", process.execPath, ["scripts/check-boundaries.js"]],
  ["dead code", "knip", []],
  ["generated files", process.execPath, ["--conditions=slipway-source", "scripts/generate-reference.ts", "--check"]],
  ["documentation links", process.execPath, ["scripts/check-links.js"]],
];

function run([name, program, args]) {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, FORCE_COLOR: "0" },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ name, ok: false, output: error.message, ms: 0 }));
    child.on("close", (code) => resolve({ name, ok: code === 0, output, ms: performance.now() - startedAt }));
  });
}

if (!existsSync("node_modules")) {
  console.error("Run npm ci first.");
  process.exit(1);
}
const results = await Promise.all(checks.map(run));
for (const { name, ok, output, ms } of results) {
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${(ms / 1000).toFixed(1)} s)`);
  if (!ok) console.log(output.trim().replaceAll(/^/gm, "     "));
}
process.exit(results.every(({ ok }) => ok) ? 0 : 1);
