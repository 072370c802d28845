import { join } from "node:path";
import { Type } from "typebox";
import { readFileIfThere, writeFileAtomically } from "../atomic-file.ts";
import { parseFile } from "../parse-file.ts";
import { createEngineClient, type EngineClient } from "./engine-client.ts";
import { engineAddressUnsupported, engineNotFound } from "./engine-errors.ts";

const FoundEngine = Type.Object({ socketPath: Type.String() });

export interface EngineSearch {
  /** `unix:///PATH`; DOCKER_HOST, CONTAINER_HOST or the usual sockets if not given */
  readonly address: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** remembers what was found: with another engine in the next search, what runs would be lost */
  readonly file: string;
}

/** @throws {AppError} EngineUnreachable, EngineAddressUnsupported */
export function engineFinder({ address, env, file }: EngineSearch): () => Promise<EngineClient> {
  let found: EngineClient | undefined;
  return async () => {
    found ??= await search();
    return found;
  };

  async function search(): Promise<EngineClient> {
    const named = [address, env.DOCKER_HOST, env.CONTAINER_HOST].find((value) => value !== undefined && value !== "");
    // Whether it answers is seen at each call; it may come and go.
    if (named !== undefined) return createEngineClient(socketOf(named));
    const before = parseFile(FoundEngine, await readFileIfThere(file));
    if (before !== undefined) return createEngineClient(before.socketPath);
    const usual = usualSockets(env);
    for (const socketPath of usual) {
      const engine = createEngineClient(socketPath);
      const answers = await engine.isPodman().then(
        () => true,
        () => false,
      );
      if (!answers) continue;
      await writeFileAtomically(file, `${JSON.stringify({ socketPath })}\n`);
      return engine;
    }
    throw engineNotFound(usual);
  }
}

/** @throws {AppError} EngineAddressUnsupported */
export function socketOf(address: string): string {
  const [, path] = /^unix:\/\/(\/.+)$/.exec(address) ?? [];
  if (path === undefined) throw engineAddressUnsupported(address);
  return path;
}

/** Docker first; an engine of the user's own after those of the machine. */
export function usualSockets({ XDG_RUNTIME_DIR }: Readonly<Record<string, string | undefined>>): readonly string[] {
  const own = XDG_RUNTIME_DIR === undefined || XDG_RUNTIME_DIR === "" ? undefined : XDG_RUNTIME_DIR;
  return [
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    ...(own === undefined ? [] : [join(own, "docker.sock"), join(own, "podman", "podman.sock")]),
  ];
}
