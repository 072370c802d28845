import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { containerOutput, outputParts } from "./container-output.ts";
import {
  type Container,
  ContainerEnd,
  ContainerList,
  Container as ContainerSchema,
  CreatedContainer,
  EngineImage,
  EngineInfo,
  EngineVersion,
  ImageList,
  type ListedContainer,
} from "./engine-answers.ts";
import { engineFailed, engineRefused, engineTooOld } from "./engine-errors.ts";
import { callEngine, type EngineCall, readChunks, readText } from "./engine-http.ts";
import { imageLoading } from "./image-loading.ts";

/** The calls of the Docker Engine API that are needed here. What is not there is `undefined` or success, never an error. */
export interface EngineClient {
  readonly socketPath: string;
  isPodman(): Promise<boolean>;
  info(): Promise<EngineInfo>;
  /** @param reference name or id */
  image(reference: string): Promise<EngineImage | undefined>;
  /** @throws {AppError} with the engine's words when it does not take the image */
  loadImage(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Leaves an image alone that a container uses. */
  removeImage(reference: string): Promise<void>;
  /** @returns undefined when the image is not there; `conflict` when the name is taken */
  createContainer(name: string, settings: Readonly<Record<string, unknown>>): Promise<string | "conflict" | undefined>;
  startContainer(id: string): Promise<void>;
  /** The path of that call, for whoever makes it by itself. */
  startPath(id: string): Promise<string>;
  /** Asks it to end, and kills it when the time is over. */
  stopContainer(id: string, seconds: number, signal: AbortSignal): Promise<void>;
  killContainer(id: string): Promise<void>;
  removeContainer(id: string): Promise<void>;
  /** @param reference name or id */
  container(reference: string): Promise<Container | undefined>;
  /** running or not */
  containers(labels: Readonly<Record<string, string>>): Promise<readonly ListedContainer[]>;
  /** The last lines of what it has printed, both streams. */
  output(reference: string, lines: number): Promise<string>;
  /** What it prints from its start to its end, both streams; a character may lie in two parts. */
  followOutput(id: string, silence: Patience): AsyncIterable<Uint8Array>;
  /** Waits for its end. @returns its exit code */
  waitContainer(id: string, silence: Patience): Promise<number>;
  /** Makes an image of what a container that has ended leaves behind; it inherits the container's labels. */
  commitContainer(id: string, name: string, tag: string, silence: Patience): Promise<void>;
  /** An image with all its layers as one tar. */
  saveImage(reference: string, silence: Patience): AsyncIterable<Uint8Array>;
  /** Names of images; ids of those without one. */
  images(labels: Readonly<Record<string, string>>): Promise<readonly string[]>;
}

/** For calls that may take as long as a program of the user. */
export interface Patience {
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** Docker 25 knows it, and Docker 29 still does; older ones are spoken to as they can. */
const PREFERRED_VERSION = "1.44";
const OLDEST_VERSION = "1.40";
/** Without a file system of layers, Podman copies the whole image for each container. */
const CREATE_MS = 300_000;

export function createEngineClient(socketPath: string): EngineClient {
  let known: Promise<EngineVersion> | undefined;

  /** Asked again after a failure: the engine may have been replaced by a newer one. */
  function version(): Promise<EngineVersion> {
    known ??= readVersion().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  }

  async function readVersion(): Promise<EngineVersion> {
    const { body } = await callEngine(socketPath, { method: "GET", path: "/version" });
    return parse(EngineVersion, await readText(body), "GET /version");
  }

  async function call(one: EngineCall) {
    const spoken = spokenVersion(await version());
    return callEngine(socketPath, { ...one, path: `/v${spoken}${one.path}` }).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
  }

  /** Calls whose answer is only that it is done. */
  async function run(one: EngineCall): Promise<number> {
    const { status, body } = await call(one);
    await readText(body);
    return status;
  }

  async function ask<Schema extends TSchema>(schema: Schema, one: EngineCall): Promise<Static<Schema> | undefined> {
    const { status, body } = await call({ ...one, expected: [404] });
    const text = await readText(body);
    return status === 404 ? undefined : parse(schema, text, `${one.method} ${one.path}`);
  }

  const container = (reference: string) =>
    ask(ContainerSchema, { method: "GET", path: `/containers/${encodeURIComponent(reference)}/json` });

  return {
    socketPath,
    async isPodman() {
      return (await version()).Components?.some(({ Name }) => Name.startsWith("Podman")) ?? false;
    },
    async info() {
      const { body } = await call({ method: "GET", path: "/info" });
      return parse(EngineInfo, await readText(body), "GET /info");
    },
    image: (reference) => ask(EngineImage, { method: "GET", path: `/images/${encodeURIComponent(reference)}/json` }),
    loadImage: (archive, signal) => imageLoading(call, archive, signal),
    async removeImage(reference) {
      const path = `/images/${encodeURIComponent(reference)}`;
      await run({ method: "DELETE", path, expected: [404, 409] });
    },
    async createContainer(name, settings) {
      const { status, body } = await call({
        method: "POST",
        path: `/containers/create?name=${encodeURIComponent(name)}`,
        body: settings,
        expected: [404, 409],
        silenceMs: CREATE_MS,
      });
      const text = await readText(body);
      if (status === 404) return undefined;
      return status === 409 ? "conflict" : parse(CreatedContainer, text, "POST /containers/create").Id;
    },
    async startContainer(id) {
      await run({ method: "POST", path: `/containers/${id}/start`, expected: [304], silenceMs: CREATE_MS });
    },
    startPath: async (id) => `/v${spokenVersion(await version())}/containers/${id}/start`,
    async stopContainer(id, seconds, signal) {
      const path = `/containers/${id}/stop?t=${seconds}`;
      await run({ method: "POST", path, expected: [304, 404], silenceMs: (seconds + 30) * 1000, signal });
    },
    async killContainer(id) {
      const path = `/containers/${id}/kill`;
      const status = await run({ method: "POST", path, expected: [404, 409, 500] });
      // Podman's answer when it does not run any more; then all is well.
      if (status === 500 && (await container(id))?.State.Running) throw engineRefused(path, status, "it still runs");
    },
    async removeContainer(id) {
      // 409: somebody else removes it already.
      await run({
        method: "DELETE",
        path: `/containers/${id}?force=true&v=true`,
        expected: [404, 409],
        silenceMs: CREATE_MS,
      });
    },
    container,
    async containers(labels) {
      const path = `/containers/json?all=true&filters=${labelFilter(labels)}`;
      return (await ask(ContainerList, { method: "GET", path })) ?? [];
    },
    async output(reference, lines) {
      const path = `/containers/${encodeURIComponent(reference)}/logs?stdout=true&stderr=true&tail=${lines}`;
      const { status, body } = await call({ method: "GET", path, expected: [404, 409] });
      if (status === 200) return containerOutput(body);
      body.resume();
      return "";
    },
    async *followOutput(id, patience) {
      const path = `/containers/${id}/logs?follow=true&stdout=true&stderr=true`;
      const { body } = await call({ method: "GET", path, ...patience });
      yield* outputParts(readChunks(body, "to tell the output of a container", patience.signal));
    },
    async waitContainer(id, patience) {
      const { body } = await call({ method: "POST", path: `/containers/${id}/wait`, ...patience });
      return parse(ContainerEnd, await readText(body), "POST /containers/wait").StatusCode;
    },
    async commitContainer(id, name, tag, patience) {
      const query = `container=${id}&repo=${encodeURIComponent(name)}&tag=${tag}&pause=false`;
      await run({ method: "POST", path: `/commit?${query}`, body: {}, ...patience });
    },
    async *saveImage(reference, patience) {
      const { body } = await call({
        method: "GET",
        path: `/images/${encodeURIComponent(reference)}/get`,
        ...patience,
      });
      yield* readChunks(body, "to save an image", patience.signal);
    },
    async images(labels) {
      const path = `/images/json?all=true&filters=${labelFilter(labels)}`;
      const found = (await ask(ImageList, { method: "GET", path })) ?? [];
      return found.flatMap(({ Id, RepoTags }) => {
        const names = (RepoTags ?? []).filter((name) => !name.startsWith("<none>"));
        return names.length === 0 ? [Id] : names;
      });
    },
  };
}

function labelFilter(labels: Readonly<Record<string, string>>): string {
  const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  // Podman wants no empty list.
  return encodeURIComponent(JSON.stringify(label.length === 0 ? {} : { label }));
}

/** The preferred one, moved into what the engine knows. @throws {AppError} EngineTooOld */
export function spokenVersion({
  ApiVersion,
  MinAPIVersion,
}: Pick<EngineVersion, "ApiVersion" | "MinAPIVersion">): string {
  if (compareVersions(ApiVersion, OLDEST_VERSION) < 0) throw engineTooOld(ApiVersion, OLDEST_VERSION);
  if (compareVersions(ApiVersion, PREFERRED_VERSION) < 0) return ApiVersion;
  if (MinAPIVersion !== undefined && compareVersions(MinAPIVersion, PREFERRED_VERSION) > 0) return MinAPIVersion;
  return PREFERRED_VERSION;
}

function compareVersions(one: string, other: string): number {
  const [left = [], right = []] = [one, other].map((version) => version.split(".").map(Number));
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}

function parse<Schema extends TSchema>(schema: Schema, text: string, call: string): Static<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw engineFailed(call, error);
  }
  const [problem] = Value.Errors(schema, value);
  if (problem !== undefined) throw engineFailed(call, new Error(`${problem.instancePath} ${problem.message}`));
  return value as Static<Schema>;
}
