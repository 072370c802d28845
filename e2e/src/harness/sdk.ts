import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, type Fetch, fileFromText, type SlipwayClient } from "@slipway/client";
import { Agent, fetch as undiciFetch } from "undici";
import type { Installation } from "./installation.ts";

/** Our own SDK against an installation, as a program would use it. */
export async function sdk(installation: Installation): Promise<SlipwayClient> {
  const { url, tokenUrl } = JSON.parse(await readFile(join(installation.dataFolder, "client.json"), "utf8")) as {
    url: string;
    tokenUrl: string;
  };
  const fetch = await trusting(installation);
  return createClient({
    url,
    fetch,
    token: async () => {
      const body = new URLSearchParams({ resource: url }).toString();
      const response = await fetch(tokenUrl, {
        method: "POST",
        body,
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
  });
}

/** `fetch` that trusts the installation's CA. */
export async function trusting(installation: Installation, connections = 64): Promise<Fetch> {
  const ca = await readFile(join(installation.dataFolder, "tls/ca.pem"), "utf8");
  const dispatcher = new Agent({ connect: { ca }, connections });
  const fetch = undiciFetch as unknown as (url: string, init: unknown) => Promise<Response>;
  return (url, init) => fetch(url, { ...init, dispatcher });
}

/** A model, an image with this script, and no packages: the smallest thing that can be deployed. */
export async function buildImage(client: SlipwayClient, name: string, script: string): Promise<string> {
  const model =
    (await client.models.latest("m")) ??
    (await client.models.register({ name: "m", files: [fileFromText("m.txt", "m")] }));
  const image = await client.images.create({
    name,
    models: [model.id],
    script: fileFromText("score.py", script),
    condaFile: fileFromText("env.yml", "dependencies:\n  - python=3.11\n"),
  });
  await client.operations.wait(image.operationId);
  return image.imageId;
}

/** Answers its version, after as many `seconds` as the request says. */
export const versionScript = (version: number) =>
  `import json, time\n\ndef init():\n    pass\n\ndef run(data):\n    time.sleep(json.loads(data).get("seconds", 0))\n    return {"version": ${version}}\n`;
