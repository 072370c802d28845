import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StartFile } from "@slipway/api";
import { expect, test } from "vitest";
import { readStartFile, startProcess } from "./start-process.ts";
import { codeOf, eventually, GatewayFixture } from "./test/gateway-fixture.ts";

const SCORE = "/api/v1/service/sleepy/score";
const program = fileURLToPath(new URL("./test/sleeping-scorer.ts", import.meta.url));

/** A service without replicas, and what is needed to start one. */
class Sleepy implements AsyncDisposable {
  readonly fixture = new GatewayFixture();
  readonly folder = join(this.fixture.folder, "run");
  readonly startFile = join(this.folder, "start.json");
  #wakeTimeoutMs = 0;

  async start(wakeTimeoutMs = 40_000): Promise<GatewayFixture> {
    mkdirSync(this.folder);
    const start: StartFile = {
      command: [process.execPath, "--conditions=slipway-source", program, this.folder],
      env: {},
      outputFile: join(this.folder, "crash.log"),
      bootId: "",
    };
    writeFileSync(this.startFile, JSON.stringify(start));
    this.#wakeTimeoutMs = wakeTimeoutMs;
    this.#write(true);
    await this.fixture.start();
    return this.fixture;
  }

  /** The control plane has found the replica awake. */
  async adopt(): Promise<void> {
    this.#write(false);
    await this.fixture.control("PUT", "/routes");
  }

  /** Something else has changed. */
  async publishAgain(nonce?: string): Promise<void> {
    this.#write(true, nonce);
    await this.fixture.control("PUT", "/routes");
  }

  starts(): number[] {
    try {
      return readFileSync(join(this.folder, "starts"), "utf8").trim().split("\n").map(Number);
    } catch {
      return [];
    }
  }

  #write(asleep: boolean, nonce = "nonce-sleepy"): void {
    const replica = { id: "sleepy", framesSocket: join(this.folder, "frames.sock"), nonce };
    const route = this.fixture.route("sleepy", [], { maxQueueWaitMs: 30_000 });
    const sleeping = {
      replica: { ...replica, probe: true },
      startFile: this.startFile,
      wakeTimeoutMs: this.#wakeTimeoutMs,
    };
    this.fixture.writeRoutes([asleep ? { ...route, asleep: sleeping } : { ...route, replicas: [replica] }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.starts()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
    await this.fixture[Symbol.asyncDispose]();
  }
}

const pidOf = ({ text }: { readonly text: string }) => Number(text);

test("the first request starts one replica; all that come meanwhile wait for it and are answered", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  expect(sleepy.starts()).toEqual([]);

  const answers = await Promise.all(Array.from({ length: 50 }, () => fixture.call(SCORE)));

  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(sleepy.starts()).toHaveLength(1);
  expect(new Set(answers.map(pidOf))).toEqual(new Set(sleepy.starts()));
  expect((await fixture.call(SCORE)).status).toBe(200);
});

test("routes that change while it wakes, and the adoption by the control plane, lose no request", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  const calls = Array.from({ length: 10 }, () => fixture.call(SCORE));
  await eventually("it is started", () => sleepy.starts().length === 1);

  await sleepy.publishAgain();
  calls.push(...Array.from({ length: 10 }, () => fixture.call(SCORE)));
  await Promise.race(calls);
  const adopted = sleepy.adopt();
  calls.push(...Array.from({ length: 10 }, () => fixture.call(SCORE)));
  await adopted;
  calls.push(fixture.call(SCORE));

  expect((await Promise.all(calls)).filter(({ status }) => status !== 200)).toEqual([]);
  expect(sleepy.starts()).toHaveLength(1);
});

test("a replica that runs already is used, never doubled, also while it does not listen yet", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  await startProcess(await readStartFile(sleepy.startFile));

  expect((await fixture.call(SCORE)).status).toBe(200);

  expect(sleepy.starts()).toHaveLength(1);
});

test("requests that meet a replica which is just ending are answered by the next one", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  const first = pidOf(await fixture.call(SCORE));
  const slow = fixture.call(`${SCORE}?slow`);
  await eventually("in work", async () => {
    const [signals] = (await fixture.control("GET", "/signals")).body as { inFlight: number }[];
    return signals?.inFlight === 1;
  });

  process.kill(first, "SIGTERM");
  const answers: number[] = [];
  await eventually("another answers", async () => {
    const answer = await fixture.call(SCORE);
    answers.push(answer.status);
    return pidOf(answer) !== first;
  });

  expect(answers.filter((status) => status !== 200)).toEqual([]);
  expect(pidOf(await slow)).toBe(first);
  expect(sleepy.starts()).toHaveLength(2);
});

test("one that dies of a request is started again for those that wait", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  await fixture.call(SCORE);

  const died = await fixture.call(`${SCORE}?exit`);

  expect([died.status, codeOf(died)]).toEqual([424, "ReplicaGone"]);
  expect((await fixture.call(SCORE)).status).toBe(200);
  expect(sleepy.starts()).toHaveLength(2);
});

test("without its start file it cannot wake: told after the wake-up time; when the file comes, it wakes", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start(1_000);
  renameSync(sleepy.startFile, `${sleepy.startFile}.away`);
  const waiting = await fixture.call(SCORE);
  expect([waiting.status, codeOf(waiting)]).toEqual([503, "ServiceUnavailable"]);
  expect(waiting.text).toContain("it was asleep");
  expect(fixture.logged).toContainEqual(expect.objectContaining({ message: "a service could not be woken" }));

  renameSync(`${sleepy.startFile}.away`, sleepy.startFile);

  await eventually("it wakes", async () => (await fixture.call(SCORE)).status === 200);
  expect(sleepy.starts()).toHaveLength(1);
});

test("who waits for a replica that cannot be started gets the one that the control plane prepares instead", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  renameSync(sleepy.startFile, `${sleepy.startFile}.away`);
  await sleepy.publishAgain("another");
  const waiting = fixture.call(SCORE);
  await eventually("it was tried", () =>
    fixture.logged.some(({ message }) => message === "a service could not be woken"),
  );

  renameSync(`${sleepy.startFile}.away`, sleepy.startFile);
  await sleepy.publishAgain();

  expect((await waiting).status).toBe(200);
});

test("a caller who goes away before it wakes leaves nothing behind", async () => {
  await using sleepy = new Sleepy();
  const fixture = await sleepy.start();
  const gone = new AbortController();
  const call = fixture.call(SCORE, { signal: gone.signal }).catch(() => undefined);
  await eventually("it is started", () => sleepy.starts().length === 1);
  gone.abort();
  await call;

  expect((await fixture.call(SCORE)).status).toBe(200);
  expect(sleepy.starts()).toHaveLength(1);
});
