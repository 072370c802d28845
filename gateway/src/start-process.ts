import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { StartFile, shapeProblems } from "@slipway/api";

/** @throws {Error} in words: the file is missing or no start file */
export async function readStartFile(file: string): Promise<StartFile> {
  const value: unknown = JSON.parse(await readFile(file, "utf8"));
  const problems = shapeProblems(StartFile, value);
  if (problems.length > 0) throw new Error(`${file} is no start file: ${problems[0]}`);
  return value as StartFile;
}

/** Starts a process that outlives this one: files instead of pipes, a session of its own, nothing inherited. */
export async function startProcess({ command, env, outputFile }: StartFile): Promise<void> {
  const [program = "", ...args] = command;
  await using output = await open(outputFile, "a", 0o600);
  const child = spawn(program, args, { cwd: "/", env, stdio: ["ignore", output.fd, output.fd], detached: true });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.unref();
}
