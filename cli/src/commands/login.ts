import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { whyUnreachable } from "@slipway/client";
import { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { connect, fetchUnverified } from "../connect.ts";
import { loginFile } from "../connection.ts";

interface LoginOptions {
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly fingerprint?: string;
}

/** `slipway login URL`: trust a server on another machine and keep a service principal for it. */
export function loginCommand(): Command {
  return new Command("login")
    .description("sign in to a server on another machine")
    .argument("<url>", "its address, https://host:port")
    .option("--client-id <id>", "service principal (default: SLIPWAY_CLIENT_ID, else asked for)")
    .option("--client-secret <secret>", "its secret (default: SLIPWAY_CLIENT_SECRET, else asked for)")
    .option("--fingerprint <sha256>", "fingerprint of the server's CA, to sign in without a question")
    .addHelpText(
      "after",
      `
On the server's machine, once:
  slipway access create laptop            prints the id and the secret
  slipway status                          prints the fingerprint of its CA

Then here:
  slipway login https://models.example.org:8443`,
    )
    .action(login);
}

async function login(address: string, options: LoginOptions): Promise<void> {
  const url = readUrl(address);
  const { ca, fingerprint } = await readAuthority(url);
  await confirm(fingerprint, options.fingerprint);
  const clientId = options.clientId ?? process.env.SLIPWAY_CLIENT_ID ?? (await ask("Id of the service principal: "));
  const clientSecret = options.clientSecret ?? process.env.SLIPWAY_CLIENT_SECRET ?? (await ask("Its secret: "));

  const file = loginFile(process.env);
  const caFile = join(dirname(file), "tls", "ca.pem");
  const connection = { url, ca, caFile, credential: { clientId, clientSecret } };
  // Tried before it is kept: a wrong secret should show now.
  const found = await connect(connection).workspaces.list();
  await mkdir(dirname(caFile), { recursive: true, mode: 0o700 });
  await writeFile(caFile, ca);
  await writeFile(file, `${JSON.stringify({ url, ca, caFile, clientId, clientSecret }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  process.stdout.write(
    `Signed in to ${url} (${found.length} ${found.length === 1 ? "workspace" : "workspaces"}). Kept in ${file}.\n`,
  );
}

function readUrl(address: string): string {
  try {
    const url = new URL(address);
    if (url.protocol === "https:") return url.origin;
  } catch {
    // Said below, in the same words as for another protocol.
  }
  throw new CliError(
    "InvalidAddress",
    "usage",
    `${JSON.stringify(address)} is not the address of a server. Expected https://host:port.`,
  );
}

/** The CA that the server shows. Nobody vouches for it yet: the person compares its fingerprint. */
async function readAuthority(url: string): Promise<{ ca: string; fingerprint: string }> {
  const response = await fetchUnverified(`${url}/slipway/v1/ca`, { method: "GET", headers: {} }).catch(
    (error: unknown) => {
      throw new CliError("ServerUnreachable", "unreachable", `No answer from ${url}: ${whyUnreachable(error)}`, error);
    },
  );
  if (!response.ok)
    throw new CliError(
      "NotSlipway",
      "unreachable",
      `${url} answers, but not as a Slipway server (status ${response.status}).`,
    );
  return (await response.json()) as { ca: string; fingerprint: string };
}

async function confirm(fingerprint: string, expected: string | undefined): Promise<void> {
  const plain = (text: string) => text.replaceAll(":", "").toUpperCase();
  if (expected !== undefined) {
    if (plain(expected) === plain(fingerprint)) return;
    throw new CliError(
      "FingerprintDiffers",
      "refused",
      `The server's CA has the fingerprint ${fingerprint}, not the one given. Either it was made anew, or somebody is in between.`,
    );
  }
  process.stdout.write(`The server's CA has the SHA-256 fingerprint\n  ${fingerprint}\n`);
  if (/^y(es)?$/i.test(await ask("Is that what `slipway status` shows on the server's machine? [y/N] "))) return;
  throw new CliError("NotConfirmed", "refused", "Not signed in.");
}

async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError(
      "NoTerminal",
      "usage",
      "There is no terminal to ask at. Give --fingerprint, --client-id and --client-secret.",
    );
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
