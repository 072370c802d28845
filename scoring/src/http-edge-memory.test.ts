import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DATA_PLANE_NODE_OPTIONS } from "@slipway/api";
import { expect, it } from "vitest";

const REQUESTS = 4_000;
const AT_ONCE = 16;
const BODY = JSON.stringify({ data: [1, 2, 3] });

/** An edge whose requests are answered a moment later, after some time in which whatever lives on has grown old. */
const program = (socket: string) => `
  import { answerText } from "./exchange.ts";
  import { listenForHttp } from "./http-edge.ts";
  let garbage = 0;
  for (let i = 0; i < 2e6; i += 1) garbage += new Array(20).fill(i).length;
  const handle = (_, sink) => { setTimeout(answerText, 2, sink, 200, "handled"); return () => {}; };
  const config = { httpSocket: ${JSON.stringify(socket)}, maxBodyBytes: 1000 };
  await listenForHttp(config, { handle, state: () => ({ phase: "ready" }), admit: undefined });
  console.log("ready");
`;

it("nothing of a request that was answered survives a young collection", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-http-edge-"));
  const socketPath = join(folder, "http.sock");
  const options = ["--conditions=slipway-source", ...DATA_PLANE_NODE_OPTIONS, "--trace-gc-nvp"];
  const child = spawn(process.execPath, [...options, "--input-type=module", "--eval", program(socketPath)], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const survivedBytes: number[] = [];
  let ready = false;
  const serving = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "ready") resolve();
      ready ||= line === "ready";
      const survived = /gc=s .* new_space_survived=(\d+)/.exec(line)?.[1];
      if (ready && survived !== undefined) survivedBytes.push(Number(survived));
    });
  });
  await serving;

  const agent = new Agent({ keepAlive: true });
  let left = REQUESTS;
  const sendSome = async () => {
    while (left-- > 0) await post({ agent, socketPath, path: "/score", method: "POST" });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendSome));
  agent.destroy();
  child.kill();
  await once(child, "close");
  rmSync(folder, { recursive: true });

  const middle = survivedBytes.toSorted((one, other) => one - other)[survivedBytes.length >> 1];
  expect(survivedBytes.length).toBeGreaterThan(5);
  // What 16 requests in work need is a tenth of this.
  expect(middle).toBeLessThan(400_000);
});

function post(options: RequestOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    request(options, (response) => response.resume().on("end", resolve).on("error", reject))
      .on("error", reject)
      .end(BODY);
  });
}
