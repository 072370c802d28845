import { type FileHandle, glob, open } from "node:fs/promises";
import { join } from "node:path";
import type { Fetch } from "@slipway/client";
import type { Installation } from "./installation.ts";
import { openLoop } from "./open-loop.ts";
import { trusting } from "./sdk.ts";

/** A script that writes down which requests it was asked to answer, before it takes the `seconds` that they say. */
export const diaryScript = `
import json, os, time

def init():
    pass

def run(data, request_headers):
    with open(os.path.join(os.environ["HOME"], "requests"), "a") as file:
        file.write(request_headers["x-request-id"] + "\\n")
    time.sleep(json.loads(data).get("seconds", 0.005))
    return {}
`;

export interface Call {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** undefined when no answer came */
  readonly status: number | undefined;
  /** why no answer came */
  readonly failure: string | undefined;
}

export interface DiaryLoad {
  /** those that have ended, in that order */
  readonly calls: readonly Call[];
  stop(): Promise<readonly Call[]>;
}

/** One request, under an id that no other one has. */
export async function call(fetch: Fetch, url: string, id: string, seconds?: number): Promise<Call> {
  const startedAt = performance.now();
  const body = JSON.stringify({ seconds });
  const answer = await fetch(url, { method: "POST", body, headers: { "x-request-id": id } })
    .then(async (response) => {
      await response.text();
      return { status: response.status, failure: undefined };
    })
    .catch(({ cause }: { cause?: { code?: string } }) => ({ status: undefined, failure: cause?.code ?? "unknown" }));
  return { id, startedAt, endedAt: performance.now(), ...answer };
}

/** Requests at a fixed rate until `stop`. */
export async function diaryLoad(slipway: Installation, url: string, perSecond: number): Promise<DiaryLoad> {
  const fetch = await trusting(slipway);
  const calls: Call[] = [];
  const running = openLoop(async () => {
    calls.push(await call(fetch, url, crypto.randomUUID()));
  }, perSecond);
  return {
    calls,
    async stop() {
      await running.stop();
      return calls;
    },
  };
}

/** The diaries of all replicas. One that was looked for is read to its end, also when its replica and its folder are gone since. */
export class Diaries implements AsyncDisposable {
  readonly #slipway: Installation;
  /** by inode: a replica that is started again has a new file under the same path */
  readonly #open = new Map<number, FileHandle>();

  constructor(slipway: Installation) {
    this.#slipway = slipway;
  }

  /** @returns how many there are and were */
  async look(): Promise<number> {
    for await (const file of glob(join(this.#slipway.dataFolder, "run/*/home/requests"))) {
      const diary = await open(file);
      const { ino } = await diary.stat();
      if (this.#open.has(ino)) await diary.close();
      else this.#open.set(ino, diary);
    }
    return this.#open.size;
  }

  /** The ids in each of them. */
  async read(): Promise<readonly (readonly string[])[]> {
    await this.look();
    const contents = [...this.#open.values()].map(async (file) => {
      const { size } = await file.stat();
      const { buffer } = await file.read({ buffer: Buffer.alloc(size), position: 0 });
      return buffer.toString().trim().split("\n");
    });
    return Promise.all(contents);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((file) => file.close()));
  }
}
