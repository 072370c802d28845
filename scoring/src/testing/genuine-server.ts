import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, type AskOptions, ask, eventually } from "./scorer-under-test.ts";

export interface GenuineServer {
  ask(path: string, options?: AskOptions): Promise<Answer>;
  dispose(): Promise<void>;
}

/** azureml-inference-server-http under gunicorn, as its own launcher starts it, but on a Unix socket. */
export async function startGenuineServer(programs: string, script: string): Promise<GenuineServer> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-genuine-"));
  writeFileSync(join(folder, "score.py"), script);
  const socket = join(folder, "http.sock");
  let output = "";
  const child: ChildProcess = spawn(
    join(programs, "python"),
    [
      "-m",
      "gunicorn",
      "--error-logfile",
      "-",
      "-b",
      `unix:${socket}`,
      "azureml_inference_server_http.server.entry:app",
    ],
    {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        AML_APP_ROOT: folder,
        AZUREML_ENTRY_SCRIPT: "score.py",
        // Without metrics of its own there is no exporter to wait for.
        AML_APP_INSIGHTS_ENABLED: "false",
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    },
  );
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text));
  const dispose = async () => {
    const gone = once(child, "exit");
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      process.kill(-child.pid, "SIGKILL");
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`The genuine server ended: ${output}`);
      await ask(socket, "/", {});
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { ask: (path, options) => ask(socket, path, options ?? {}), dispose };
}
