import { homedir } from "node:os";
import { join } from "node:path";
import { readFileIfThere } from "../../platform/atomic-file.ts";

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** Logins by host name, from the file that `NETRC` names, else `~/.netrc`. Of a host that is named twice the first counts. */
export async function readNetrc(
  env: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, Login>> {
  const file = env.NETRC || join(env.HOME || homedir(), ".netrc");
  return parseNetrc((await readFileIfThere(file).catch(() => undefined)) ?? "");
}

/** Words in any layout: `machine HOST login NAME password TEXT`; `default`, macros and what else there is are left out. */
export function parseNetrc(text: string): ReadonlyMap<string, Login> {
  const logins = new Map<string, Login>();
  const withoutMacros = text.replace(/^macdef[\s\S]*?(?:\n[ \t]*\n|(?![\s\S]))/gm, "\n").replace(/(^|\s)#.*$/gm, "");
  for (const entry of withoutMacros.split(/(?:^|\s)(?=(?:machine|default)\s)/)) {
    const fields = new Map<string, string>();
    const words = entry.trim().split(/\s+/);
    for (let index = 0; index + 1 < words.length; index += 2) fields.set(words[index] ?? "", words[index + 1] ?? "");
    const [host, username, password] = ["machine", "login", "password"].map((name) => fields.get(name));
    if (host === undefined || username === undefined || password === undefined || logins.has(host)) continue;
    logins.set(host, { username, password });
  }
  return logins;
}
