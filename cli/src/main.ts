import { readFile } from "node:fs/promises";
import { exitCodeOf } from "./exit-code.ts";
import { createProgram } from "./program.ts";
import { asksForJson, showError } from "./terminal/show-error.ts";

// A reader that closes early (`slipway model list | head`) has what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const packageFile = await readFile(new URL("../package.json", import.meta.url), "utf8");
const { version } = JSON.parse(packageFile) as { version: string };
const program = createProgram(version);
const args = process.argv.slice(2);
if (args.length === 0) program.outputHelp();
else {
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    process.stderr.write(showError(error, asksForJson(args)));
    process.exitCode = exitCodeOf(error);
  }
}
