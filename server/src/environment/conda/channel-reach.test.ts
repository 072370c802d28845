import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createChannelReach } from "./channel-reach.ts";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A channel that answers with this status; 0: never. */
async function channel(status: number) {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    if (status > 0) response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { seen, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/c` };
}

const NOBODY = { logins: new Map() };
const channels = (...addresses: readonly string[]) => ({ addresses, addressOf: (name: string) => name });

it.each([
  [200, true],
  [301, true],
  [401, true],
  [404, true],
  [403, false],
  [407, false],
  [503, false],
])("a channel that answers %i counts: %s", async (status, answers) => {
  const { address } = await channel(status);
  const { answering, silent } = await createChannelReach({}).find(channels(address), NOBODY);
  expect([answering, silent]).toEqual(answers ? [[address], []] : [[], [`${address} (answers ${status})`]]);
});

it("asks all at once, three seconds at most, and each once in ten minutes", async () => {
  let now = 0;
  const [fine, hangs] = [await channel(200), await channel(0)];
  const reach = createChannelReach({}, () => now);
  const both = channels(hangs.address, fine.address, "http://127.0.0.1:9/gone");
  expect(reach.remembered(both)).toBeUndefined();
  const begun = performance.now();
  const [found, same] = await Promise.all([reach.find(both, NOBODY), reach.find(both, NOBODY)]);
  // One after the other would take six.
  expect(performance.now() - begun).toBeLessThan(5_900);
  expect(found).toEqual({
    answering: [fine.address],
    silent: [`${hangs.address} (no answer within 3 s)`, "http://127.0.0.1:9/gone (ECONNREFUSED)"],
  });
  expect(same).toEqual(found);
  now = 9 * 60_000;
  expect(reach.remembered(both)).toEqual(found);
  expect([fine.seen.length, hangs.seen.length]).toEqual([1, 1]);
  now = 11 * 60_000;
  expect(reach.remembered(both)).toBeUndefined();
  await reach.find(channels(fine.address), NOBODY);
  expect(fine.seen.length).toBe(2);
});

it("sends a login to its host", async () => {
  const { seen, address } = await channel(200);
  const logins = new Map([["127.0.0.1", { username: "me", password: "p" }]]);
  await createChannelReach({}).find(channels(address), { logins });
  expect(seen).toEqual([`Basic ${Buffer.from("me:p").toString("base64")}`]);
});
