import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import type { ScorerConfig, StartFile } from "@slipway/api";
import { eventually, repository } from "../../../e2e/src/harness/installation.ts";
import { startSlipway } from "../measure/started-slipway.ts";
import { dataBody } from "../measure/trained-model.ts";
import { programContender } from "./contender.ts";

const SERVICE = "ridge";
const SLEEP_MS = 60_000;

/**
 * A replica as the process target starts it: that program with that sandbox, those limits and the compiled code that earlier
 * replicas left. The service itself sleeps meanwhile, so that the replica has nothing to share memory with.
 */
export const slipwayReplica = programContender("Slipway's replica", async ({ context, folder, model }) => {
  const { config, start } = await sleepingReplica(context, model.file, join(folder, "score.py"));
  const runFolder = await mkdtemp(join(context.folder, "run-"));
  const httpSocket = join(runFolder, "http.sock");
  const own: ScorerConfig = { ...config, runFolder, httpSocket, framesSocket: join(runFolder, "frames.sock") };
  await writeFile(join(runFolder, "scorer.json"), JSON.stringify(own));
  return {
    command: [...start.command.slice(0, -1), runFolder],
    env: { ...start.env },
    address: {
      url: "http://localhost/score",
      body: dataBody(model),
      fetch: (url, init) => fetchOverSocket(httpSocket, url, init),
    },
  };
});

/** Deploys the service, and waits until it sleeps: then everything for its next start lies ready. */
async function sleepingReplica(context: Parameters<typeof startSlipway>[0], model: string, script: string) {
  const slipway = await startSlipway(context);
  const what = ["--model", model, "--script", script, "--conda", join(repository, "examples/diabetes/myenv.yml")];
  const scaling = ["--cpu", "1", "--memory", "1", "--min-replicas", "0", "--max-replicas", "1", "--idle-seconds", "1"];
  const { code, output } = await slipway.slipway(["service", "deploy", SERVICE, ...what, ...scaling]);
  if (code !== 0) throw new Error(`the deployment failed: ${output}`);
  const runs = join(slipway.dataFolder, "run");
  const [name = ""] = (await readdir(runs)).filter((entry) => entry.endsWith("-0"));
  const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(runs, name, file), "utf8"));
  await eventually(async () => (Object(await read("process.json")).stopped === true ? true : undefined), SLEEP_MS);
  return { config: (await read("scorer.json")) as ScorerConfig, start: (await read("start.json")) as StartFile };
}

function fetchOverSocket(socketPath: string, url: string, { method, headers, body }: RequestInit): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { pathname } = new URL(url);
    const options = {
      socketPath,
      path: pathname,
      method,
      headers: Object.fromEntries(new Headers(headers)),
      agent: false,
    };
    const asked = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(new Response(Buffer.concat(chunks), { status: response.statusCode ?? 500 })));
      response.on("error", reject);
    });
    asked.on("error", reject).end(body);
  });
}
