// The built-in registry of a server on this machine, with the credentials that every user of the workspace may see.
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseImageReference } from "../../server/src/registry/remote/index.ts";

const WORKSPACE =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/slipway/providers/Microsoft.MachineLearningServices/workspaces/default";

export async function builtInRegistry(data: string, name: string, tag: string) {
  const { url, caFile, tokenUrl } = clientFile(data);
  const ca = readFileSync(caFile, "utf8");
  const token = await ask("GET", `${tokenUrl}?resource=${encodeURIComponent(url)}&api-version=2018-02-01`, ca, {
    Metadata: "true",
  });
  const keys = await ask("POST", `${url}${WORKSPACE}/listKeys?api-version=2020-01-01`, ca, {
    Authorization: `Bearer ${token.access_token}`,
  });
  const { username, passwords } = keys.containerRegistryCredentials;
  return {
    reference: parseImageReference(`${new URL(url).host}/default/${name}:${tag}`),
    credentials: { username: String(username), password: String(passwords[0].value) },
    ca: [ca],
  };
}

function clientFile(data: string): { readonly url: string; readonly caFile: string; readonly tokenUrl: string } {
  try {
    return JSON.parse(readFileSync(join(data, "client.json"), "utf8"));
  } catch {
    throw new Error(
      `No server was started with the data folder ${data}. Start one (slipway up), or name its folder with --data.`,
    );
  }
}

async function ask(method: string, url: string, ca: string, headers: Record<string, string>) {
  const answer = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
    const asking = request(url, { method, ca, headers: { ...headers, "Content-Length": "0" } }, resolve);
    asking.on("error", reject);
    asking.end();
  });
  const body = await text(answer);
  if (answer.statusCode !== 200) throw new Error(`The server answered ${answer.statusCode}: ${body.slice(0, 300)}`);
  return JSON.parse(body);
}
