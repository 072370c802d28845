import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock } from "../platform/clock.ts";
import { migrateToLatest } from "../platform/database/migrate.ts";
import { openSqlite } from "../platform/database/sqlite.ts";
import { createHttpApp, type HttpApp } from "../platform/http/app.ts";
import { handleErrors, resourceManagerEnvelope } from "../platform/http/error-handler.ts";
import { silentLog } from "../platform/log.ts";
import {
  type AccessTables,
  accessMigration,
  createPrincipalService,
  createTokenIssuer,
  newSigningKey,
  type PrincipalService,
  requireToken,
  signInRoutes,
  type TokenIssuer,
} from "./index.ts";

const url = "https://localhost:8443";
const form = { "content-type": "application/x-www-form-urlencoded" };
let clock: ReturnType<typeof manualClock>;
let tokens: TokenIssuer;
let principals: PrincipalService;
let app: HttpApp;

beforeEach(async () => {
  clock = manualClock();
  const database = openSqlite<AccessTables>(":memory:");
  await migrateToLatest(database, { "0001-access": accessMigration });
  principals = createPrincipalService(database, clock);
  tokens = await createTokenIssuer(await newSigningKey(), "33333333-3333-3333-3333-333333333333", clock);
  app = createHttpApp();
  handleErrors(app, resourceManagerEnvelope, silentLog);
  signInRoutes(app, { tokens, principals, publicUrl: url, identitySecret: "hidden", clock });
  await app.register(async (inner) => {
    requireToken(inner as unknown as HttpApp, tokens, principals);
    inner.get("/guarded", async () => "in");
  });
});
afterEach(() => app.close());

async function identityToken(): Promise<string> {
  const answer = await app.inject({
    method: "POST",
    url: "/msi/hidden/token",
    headers: form,
    payload: `resource=${encodeURIComponent(url)}`,
  });
  return answer.json().access_token;
}

const guarded = (token?: string) =>
  app.inject({ url: "/guarded", headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

test("the managed-identity answer has what the client reads, and the token carries exp and tid (contract 2.2, 2.3)", async () => {
  const answer = (
    await app.inject({ method: "POST", url: "/msi/hidden/token", headers: form, payload: `resource=${url}` })
  ).json();
  expect(answer).toMatchObject({ token_type: "Bearer", expires_in: "86400", resource: url });
  expect(answer.expires_on).toBe(String(Math.floor(clock.now().getTime() / 1000) + 86_400));
  const claims = JSON.parse(Buffer.from(answer.access_token.split(".")[1], "base64url").toString());
  expect(claims).toMatchObject({ exp: Number(answer.expires_on), tid: tokens.tenantId });
  expect((await guarded(answer.access_token)).statusCode).toBe(200);
});

test("a guessed managed-identity address gives no token", async () => {
  const answer = await app.inject({ method: "POST", url: "/msi/guess/token", headers: form, payload: "resource=x" });
  expect(answer.statusCode).toBe(404);
  expect(answer.body).not.toContain("access_token");
});

test("no token, a damaged one, a service's one, a foreign one and an expired one are refused, each with its reason", async () => {
  const token = await identityToken();
  const foreign = await createTokenIssuer(await newSigningKey(), tokens.tenantId, clock);
  const cases: [string | undefined, RegExp][] = [
    [undefined, /needs a bearer token/],
    [`${token.slice(0, -3)}abc`, /not issued by this server/],
    [(await foreign.issue({ id: "x", name: "x" }, url)).token, /not issued by this server/],
    [(await tokens.issueForService("/api/v1/service/a", 600)).token, /for scoring only/],
  ];
  for (const [given, reason] of cases) {
    const answer = await guarded(given);
    expect(answer.statusCode).toBe(401);
    expect(answer.json().error.message).toMatch(reason);
  }
  clock.advance(2 * 86_400_000);
  expect((await guarded(token)).json().error.message).toMatch(/expired/);
});

test("the same token is handed out while it is fresh, a new one when half its life is over", async () => {
  const first = await identityToken();
  clock.advance(3_600_000);
  expect(await identityToken()).toBe(first);
  clock.advance(13 * 3_600_000);
  expect(await identityToken()).not.toBe(first);
});

test("when the clock is set back, tokens stay good for a day of it; after that there are new ones", async () => {
  const first = await identityToken();
  clock.advance(-20 * 3_600_000);
  expect((await guarded(first)).statusCode).toBe(200);
  clock.advance(-30 * 3_600_000);
  expect((await guarded(first)).json().error.message).toMatch(/clock of this server was set back/);
  const next = await identityToken();
  expect(next).not.toBe(first);
  expect((await guarded(next)).statusCode).toBe(200);
});

test("a service principal signs in with its secret until it is revoked; its tokens end with it", async () => {
  const { clientId, clientSecret } = await principals.create("ci");
  const signIn = (secret: string, grant = "client_credentials") =>
    app.inject({
      method: "POST",
      url: "/adfs/oauth2/v2.0/token",
      headers: form,
      payload: new URLSearchParams({
        client_id: clientId,
        client_secret: secret,
        grant_type: grant,
        scope: `${url}/.default`,
      }).toString(),
    });
  expect((await signIn("wrong")).json()).toMatchObject({ error: "invalid_client" });
  expect((await signIn(clientSecret, "password")).json()).toMatchObject({ error: "unsupported_grant_type" });
  const token = (await signIn(clientSecret)).json().access_token;
  expect((await guarded(token)).statusCode).toBe(200);
  await principals.revoke(clientId);
  expect((await signIn(clientSecret)).statusCode).toBe(401);
  expect((await guarded(token)).json().error.message).toMatch(/revoked/);
  await expect(principals.revoke(clientId)).rejects.toThrow(/no service principal/);
});

test("a name that could break a terminal or a table is refused", async () => {
  await expect(principals.create("a\u001b[31m")).rejects.toThrow(/cannot be the name/);
  await expect(principals.create("")).rejects.toThrow(/cannot be the name/);
});
