import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayMain } from "../index.ts";
import { eventually, type GatewayFixture } from "./gateway-fixture.ts";

/** The gateway as a process of its own. */
export class GatewayProcess implements AsyncDisposable {
  readonly lines: Record<string, unknown>[] = [];
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, ["--conditions=slipway-source", gatewayMain, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    let text = "";
    child.stderr.on("data", (part: Buffer) => {
      const lines = (text + part.toString()).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.lines.push(JSON.parse(line));
    });
    this.exited = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
    this.#child = child;
  }

  async ready(): Promise<number> {
    await eventually("the gateway is ready", () => this.#readyLine() !== undefined);
    return Number(this.#readyLine()?.port);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  #readyLine(): Record<string, unknown> | undefined {
    return this.lines.find(({ message }) => message === "gateway ready");
  }
}

export function configFile(fixture: GatewayFixture, more: Record<string, unknown> = {}): string {
  const file = join(fixture.folder, "gateway.json");
  writeFileSync(file, JSON.stringify({ ...fixture.config, ...more }));
  return file;
}
