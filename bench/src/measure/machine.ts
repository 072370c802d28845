import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { repository } from "../../../e2e/src/harness/installation.ts";

/** What figures mean depends on where, when and with what they were taken. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly python: string;
  /** with `+` if the checkout had changes of its own */
  readonly commit: string;
  /** of the minute before the first measurement: above about 0.3 something else was running */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.versions.node,
    python: output("python3", ["-c", "import platform; print(platform.python_version())"]),
    commit: `${output("git", ["rev-parse", "--short", "HEAD"])}${output("git", ["status", "--porcelain"]) === "" ? "" : "+"}`,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: "utf8",
      cwd: repository,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}
