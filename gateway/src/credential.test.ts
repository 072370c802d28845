import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { authorizeFor } from "./credential.ts";
import { codeOf, GatewayFixture, keyHash } from "./test/gateway-fixture.ts";
import { signedToken } from "./test/signed-token.ts";

const PATH = "/api/v1/service/digits";
const SCORE = `${PATH}/score`;

test("either key opens the service, nothing else does", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  const keyHashes = [keyHash("primary"), keyHash("secondary")];
  fixture.writeRoutes([fixture.route("digits", [scorer], { auth: "key", keyHashes })]);
  await fixture.start();
  const status = async (authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const answer = await fixture.call(SCORE, { headers });
    return answer.status === 200 ? "200" : `${answer.status} ${codeOf(answer)} ${answer.headers["www-authenticate"]}`;
  };

  for (const again of ["200", "200"]) {
    expect(await status("Bearer primary")).toBe(again);
    expect(await status("bearer secondary")).toBe(again);
    expect(await status("Bearer secondarz")).toBe("401 KeyWrong Bearer");
  }
  expect(await status("Bearer Primary")).toBe("401 KeyWrong Bearer");
  expect(await status("Bearer primary extra")).toBe("401 KeyWrong Bearer");
  expect(await status(`Bearer ${"x".repeat(9000)}`)).toBe("401 CredentialMissing Bearer");
  expect(await status("Basic cHJpbWFyeQ==")).toBe("401 CredentialMissing Bearer");
  expect(await status("Bearer")).toBe("401 CredentialMissing Bearer");
  expect(await status()).toBe("401 CredentialMissing Bearer");
  expect(scorer.received).toHaveLength(4);
});

test("a key that was replaced opens nothing from the next snapshot on", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  const keyed = (key: string) => [fixture.route("digits", [scorer], { auth: "key", keyHashes: [keyHash(key)] })];
  fixture.writeRoutes(keyed("old"));
  await fixture.start();
  const withKey = (key: string) => fixture.call(SCORE, { headers: { authorization: `Bearer ${key}` } });
  expect((await withKey("old")).status).toBe(200);

  fixture.writeRoutes(keyed("new"));
  await fixture.control("PUT", "/routes");

  expect((await withKey("old")).status).toBe(401);
  expect((await withKey("new")).status).toBe(200);
});

test("a token opens only the service it was made for, until it expires", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  const ours = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const theirs = generateKeyPairSync("ec", { namedCurve: "P-256" });
  fixture.writeRoutes([fixture.route("digits", [scorer], { auth: "token", keyHashes: [keyHash("primary")] })], {
    ...ours.publicKey.export({ format: "jwk" }),
  });
  await fixture.start();
  const now = Math.floor(Date.now() / 1000);
  const good = { iss: "slipway", aud: PATH, exp: now + 60 };
  const outcome = async (token: string) => {
    const answer = await fixture.call(SCORE, { headers: { authorization: `Bearer ${token}` } });
    return answer.status === 200 ? "opens" : `${answer.status} ${JSON.parse(answer.text).error.message}`;
  };

  expect(await outcome(signedToken(ours.privateKey, good))).toBe("opens");
  expect(await outcome(signedToken(ours.privateKey, { ...good, exp: now - 1 }))).toMatch(/^401 .*it has expired/);
  expect(await outcome(signedToken(ours.privateKey, { ...good, exp: undefined }))).toMatch(/^401 .*it has expired/);
  expect(await outcome(signedToken(ours.privateKey, { ...good, nbf: now + 50 }))).toMatch(/^401 .*not valid yet/);
  expect(await outcome(signedToken(ours.privateKey, { ...good, aud: `${PATH}2` }))).toMatch(/^401 .*another service/);
  expect(await outcome(signedToken(ours.privateKey, { ...good, iss: "else" }))).toMatch(/^401 .*another issuer/);
  expect(await outcome(signedToken(theirs.privateKey, good))).toMatch(/^401 .*signature is wrong/);
  expect(await outcome(signedToken(ours.privateKey, good, "none"))).toMatch(/^401 .*not signed with ES256/);
  expect(await outcome(signedToken(ours.privateKey, good).replace(/[^.]*$/, ""))).toMatch(/^401 .*signature is wrong/);
  expect(await outcome("a.b")).toMatch(/^401 .*not a JWT/);
  expect(await outcome("primary")).toMatch(/^401 .*not a JWT/);
});

test("a remembered token is forgotten when it expires", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1");
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const route = fixture.route("digits", [scorer], { auth: "token" });
  const authorize = authorizeFor(route, pair.publicKey, false);
  const token = `Bearer ${signedToken(pair.privateKey, { iss: "slipway", aud: PATH, exp: Math.floor(Date.now() / 1000) + 3 })}`;

  expect(authorize(token, "127.0.0.1")).toBeUndefined();
  expect(authorize(token, "127.0.0.1")).toBeUndefined();
  await expect.poll(() => authorize(token, "127.0.0.1")?.code).toBe("TokenWrong");
});

test("without authentication only this machine is answered, unless the service or the gateway is open", async () => {
  await using fixture = new GatewayFixture();
  const answers = (peer: string | undefined, open: boolean, allowOpen: boolean) =>
    authorizeFor(fixture.route("digits", [], { open }), undefined, allowOpen)(undefined, peer)?.code ?? "answered";

  for (const peer of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
    expect(answers(peer, false, false)).toBe("answered");
  }
  for (const peer of ["10.0.0.8", "::ffff:10.0.0.8", "fe80::1", "1127.0.0.1", "", undefined]) {
    expect(answers(peer, false, false)).toBe("ServiceNotOpen");
    expect(answers(peer, true, false)).toBe("answered");
    expect(answers(peer, false, true)).toBe("answered");
  }
});
