import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const hasPrometheus = spawnSync("prometheus", ["--version"]).status === 0;

/** A real Prometheus that scrapes the gateway over HTTPS each second. */
class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async start(fixture: GatewayFixture): Promise<Prometheus> {
    const port = await freePort();
    const config = join(fixture.folder, "prometheus.yml");
    writeFileSync(
      config,
      `scrape_configs:
  - job_name: slipway
    scheme: https
    scrape_interval: 1s
    tls_config: { ca_file: ${fixture.config.certificateFile}, server_name: localhost }
    static_configs: [{ targets: ["127.0.0.1:${fixture.port}"] }]
`,
    );
    const child = spawn(
      "prometheus",
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(fixture.folder, "tsdb")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    return new Prometheus(child, `http://127.0.0.1:${port}`);
  }

  /** @returns values by their series; throws what Prometheus says against the query */
  async query(promql: string): Promise<readonly number[]> {
    const response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query: promql })}`);
    const answer = (await response.json()) as {
      readonly error?: string;
      readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    };
    if (answer.error !== undefined) throw new Error(`${promql}: ${answer.error}`);
    return answer.data.result.map(({ value }) => Number(value[1]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A scorer's answer to whoever asks for its state. */
async function startState(fixture: GatewayFixture, nonce: string) {
  const path = join(fixture.folder, "state.sock");
  const server = createServer((_request, response) =>
    response.end(
      JSON.stringify({
        replicaId: "a1",
        nonce,
        pid: 1,
        phase: "ready",
        workers: [{ pid: 2, phase: "ready", restarts: 0, memoryBytes: 1_000_000 }],
        inFlight: 0,
        batches: { count: 2, sum: 8 },
        timings: {},
      }),
    ),
  );
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { path, [Symbol.dispose]: () => server.close() };
}

/** Queries of the dashboard, with its variables filled in. */
function dashboardQueries(): string[] {
  const dashboard = JSON.parse(readFileSync(new URL("../../docs/dashboards/slipway.json", import.meta.url), "utf8"));
  return dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) =>
      expr.replaceAll("$__rate_interval", "30s").replaceAll(/\$(workspace|service|job)/g, ".*"),
    ),
  );
}

test.skipIf(!hasPrometheus)(
  "a real Prometheus scrapes the gateway; every panel of the dashboard shows something",
  async () => {
    await using fixture = new GatewayFixture();
    const scorer = await fixture.scorer("a1");
    using state = await startState(fixture, scorer.replica.nonce);
    const replicas = [{ ...scorer.replica, httpSocket: state.path }];
    fixture.writeRoutes([fixture.route("digits", [], { replicas, revision: 7 })]);
    await fixture.start();
    await fixture.connected();
    await using prometheus = await Prometheus.start(fixture);
    await fixture.call("/api/v1/service/digits/score");
    await fixture.call("/api/v1/service/digits/score", { body: "x".repeat(200_000) });
    await eventually("it is up", async () => (await prometheus.query("up").catch(() => []))[0] === 1, 60_000);

    for (let n = 0; n < 20; n += 1) await fixture.call("/api/v1/service/digits/score");
    await fixture.call("/api/v1/service/digits/score", { body: "x".repeat(200_000) });
    const counted = 'sum(slipway_requests_total{service="digits",revision="7",status="200"})';
    await eventually("21 requests", async () => (await prometheus.query(counted))[0] === 21, 30_000);
    await eventually("a rate", async () => {
      const [rate = 0] = await prometheus.query('sum(rate(slipway_requests_total{service="digits"}[30s]))');
      return rate > 0;
    });

    for (const query of dashboardQueries())
      await eventually(query, async () => (await prometheus.query(query)).length > 0);
  },
);

test("every metric that the dashboard names is on the page", async () => {
  await using fixture = new GatewayFixture();
  await fixture.start();
  const { text } = await fixture.call("/metrics", { method: "GET" });
  const told = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));

  const named = dashboardQueries().flatMap((query) => query.match(/\b(slipway|process)_\w+/g) ?? []);

  expect(named.length).toBeGreaterThan(12);
  for (const name of named) expect(told).toContain(name.replace(/_(bucket|sum|count)$/, ""));
});
