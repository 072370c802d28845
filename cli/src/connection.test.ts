import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dataFolder, findConnection, loginFile } from "./connection.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

let folder: string;
/** a home of its own, so that nothing of the user's is found */
let env: Record<string, string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-connection-"));
  env = { XDG_CONFIG_HOME: join(folder, "config") };
});
afterEach(() => rm(folder, { recursive: true }));

async function serverIn(name: string): Promise<string> {
  const data = join(folder, name);
  await mkdir(data);
  await writeFile(join(data, "ca.pem"), PEM);
  const client = { url: `https://${name}:1`, caFile: join(data, "ca.pem"), tokenUrl: `https://${name}:1/msi/s/token` };
  await writeFile(join(data, "client.json"), JSON.stringify(client));
  return data;
}

async function logIn(value: unknown): Promise<void> {
  await mkdir(dirname(loginFile(env)), { recursive: true });
  await writeFile(loginFile(env), JSON.stringify(value));
}

test("reads what the server left in its data folder", async () => {
  const data = await serverIn("one");
  expect(await findConnection({ data }, env)).toEqual({
    url: "https://one:1",
    ca: PEM,
    caFile: join(data, "ca.pem"),
    credential: { tokenUrl: "https://one:1/msi/s/token" },
  });
});

test("a folder that is named wins over the environment, and both over a saved login", async () => {
  const [one, two] = [await serverIn("one"), await serverIn("two")];
  await logIn({ url: "https://three:1", ca: PEM, clientId: "i", clientSecret: "s" });
  expect((await findConnection({ data: one }, { ...env, SLIPWAY_DATA: two })).url).toBe("https://one:1");
  expect((await findConnection({}, { ...env, SLIPWAY_DATA: two })).url).toBe("https://two:1");
  expect(await findConnection({}, env)).toMatchObject({
    url: "https://three:1",
    ca: PEM,
    credential: { clientId: "i", clientSecret: "s" },
  });
});

test("an address needs a token", async () => {
  const url = "https://four:1";
  await expect(findConnection({ url }, env)).rejects.toMatchObject({ code: "TokenMissing", outcome: "usage" });
  expect(await findConnection({ url, token: "t" }, env)).toMatchObject({
    url,
    ca: undefined,
    credential: { token: "t" },
  });
  expect(await findConnection({}, { ...env, SLIPWAY_URL: url, SLIPWAY_TOKEN: "t" })).toMatchObject({ url });
});

test("says where it looked when there is no server", async () => {
  const data = join(folder, "nothing");
  await expect(findConnection({ data }, env)).rejects.toMatchObject({ code: "NoServerKnown", outcome: "unreachable" });
  await expect(findConnection({ data }, env)).rejects.toThrow(data);
});

test.each(["{", "[]", "1", "{}", '{"url": ""}', '{"url": 5}'])("a damaged file %j is named", async (content) => {
  const data = await serverIn("one");
  await writeFile(join(data, "client.json"), content);
  await expect(findConnection({ data }, env)).rejects.toMatchObject({ code: "ConnectionFileInvalid" });
  await expect(findConnection({ data }, env)).rejects.toThrow("client.json");
});

test("a missing certificate authority is named", async () => {
  const data = await serverIn("one");
  await rm(join(data, "ca.pem"));
  await expect(findConnection({ data }, env)).rejects.toMatchObject({ code: "CaNotReadable" });
});

test("the data folder is an absolute path", () => {
  expect(dataFolder({ data: "/a/../b" }, {})).toBe("/b");
  expect(dataFolder({}, { SLIPWAY_DATA: "/c" })).toBe("/c");
  expect(dataFolder({}, { SLIPWAY_DATA: "" })).toMatch(/\/\.slipway$/);
});
