#!/usr/bin/env node
// Plain JavaScript for any Node from 18 on: it only finds a Node that is new enough and runs the program with it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as module from "node:module";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const WANTED = 24;
/** resolves the packages of a checkout to their sources */
const CONDITION = "slipway-source";
const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src", "main.ts");
const fromSource = existsSync(source);
const program = fromSource ? source : join(root, "dist", "main.js");

if (Number(process.versions.node.split(".")[0]) >= WANTED) {
  // In the user's own folder: what others can write is nothing to run code from.
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  module.enableCompileCache(join(cache, "slipway", "compiled"));
  if (fromSource) useSources();
  await import(pathToFileURL(program).href);
} else {
  runWith(bundledNode());
}

/** The same as `node --conditions=…`, without a second process. Children are started with this process's options. */
function useSources() {
  const option = `--conditions=${CONDITION}`;
  if (process.execArgv.includes(option)) return;
  process.execArgv.push(option);
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, CONDITION] }),
  });
}

function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const manifest = module.createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), "bin", "node");
  } catch {
    console.error(
      `slipway needs Node ${WANTED} or newer; this is ${process.version}, and the package ${name} is not installed beside it. ` +
        `Install Node ${WANTED}, or install slipway again with optional packages.`,
    );
    process.exit(2);
  }
}

function runWith(node) {
  const options = fromSource ? [`--conditions=${CONDITION}`] : [];
  const child = spawn(node, [...options, program, ...process.argv.slice(2)], { stdio: "inherit" });
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal sends Ctrl-C to the child as well; twice would mean "stop at once".
    process.on(signal, () => (signal === "SIGINT" && atTerminal ? undefined : child.kill(signal)));
  }
  child.on("error", (error) => {
    console.error(`slipway: ${node} could not be started: ${error.message}`);
    process.exit(2);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
