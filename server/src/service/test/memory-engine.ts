import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import {
  type Cause,
  encodeFrame,
  FRAME_PROTOCOL_VERSION,
  FrameDecoder,
  FrameKind,
  type RequestHead,
} from "@slipway/api";
import { Type } from "typebox";
import { newSecret, newShortId } from "../../platform/ids.ts";
import type { Deployment, Observation, Target } from "../../target/target.ts";
import { GIB } from "../service-defaults.ts";

interface Running {
  readonly deployment: Deployment;
  readonly replicaId: string;
  readonly nonce: string;
  readonly socket: string;
  readonly server: Server;
  readonly connections: Set<Socket>;
}

/** An engine in memory behind the target contract. Replicas answer frames on real sockets; tests decide how they do. */
export function createEngine(folder: string) {
  const running = new Map<string, Running>();
  const logs = new Map<string, string>();
  const behaviour = {
    /** by image id: the replica does not come up */
    startFailures: new Map<string, Cause>(),
    /** by image id: what `POST /score` answers; 200 otherwise */
    scores: new Map<string, number>(),
    /** by image id: `GET /swagger.json` */
    swagger: new Map<string, unknown>(),
    /** called by each apply once the replicas are there */
    afterStart: async (_deployment: Deployment): Promise<void> => {},
  };
  const history = { started: [] as string[], removed: [] as string[], scored: [] as string[] };

  async function start(deployment: Deployment): Promise<void> {
    const nonce = newSecret();
    const connections = new Set<Socket>();
    const server = createServer((socket) => {
      connections.add(socket);
      const hello = { protocol: FRAME_PROTOCOL_VERSION, role: "scorer", nonce };
      socket.write(encodeFrame(0, FrameKind.HELLO, Buffer.from(JSON.stringify(hello))));
      const decoder = new FrameDecoder(({ id, kind, body }) => {
        if (kind !== FrameKind.REQUEST) return;
        const bytes = Buffer.from(body);
        const head = JSON.parse(bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString()) as RequestHead;
        const [status, text] = answer(deployment, head.p, bytes.subarray(4 + bytes.readUInt32BE(0)).toString());
        const response = Buffer.alloc(8);
        response.writeUInt16BE(status);
        response.writeUInt32BE(2, 2);
        response.write("{}", 6);
        socket.write(encodeFrame(id, FrameKind.RESPONSE, Buffer.concat([response, Buffer.from(text)])));
      });
      socket.on("data", (chunk) => decoder.push(chunk));
      socket.on("error", () => socket.destroy());
    });
    const socket = join(folder, `${newShortId()}.sock`);
    await once(server.listen(socket), "listening");
    const replicaId = `${deployment.id}-0`;
    running.set(deployment.id, { deployment, replicaId, nonce, socket, server, connections });
    history.started.push(deployment.id);
  }

  function answer(deployment: Deployment, path: string, body: string): readonly [number, string] {
    const { imageId } = deployment.bundle;
    if (path === "/swagger.json") {
      const swagger = behaviour.swagger.get(imageId);
      return swagger === undefined ? [404, "{}"] : [200, JSON.stringify(swagger)];
    }
    history.scored.push(body);
    const status = behaviour.scores.get(imageId) ?? 200;
    return [status, status < 400 ? "[1]" : "ValueError: could not convert"];
  }

  async function end(id: string): Promise<void> {
    const entry = running.get(id);
    if (entry === undefined) return;
    running.delete(id);
    for (const socket of entry.connections) socket.destroy();
    entry.server.close();
  }

  function look({ id, bundle }: Deployment): Observation {
    const entry = running.get(id);
    const cause = behaviour.startFailures.get(bundle.imageId);
    const enforcement = "none";
    if (entry === undefined) {
      return { state: cause ? "failed" : "absent", replicas: [], enforcement, ...(cause && { cause }) };
    }
    const { replicaId, socket, nonce } = entry;
    const replica = { id: replicaId, framesSocket: socket, nonce, restarts: 0, memoryBytes: 1 };
    return { state: "ready", replicas: [{ ...replica, state: "ready", timings: { init: 400 } }], enforcement };
  }

  const target: Target = {
    kind: "process",
    options: Type.Object({}),
    capabilities: { autoscale: true, sleep: true, tokenAuth: true, gpu: false },
    check: async () => ({ ok: true }),
    capacity: async () => ({ cpu: 4, memoryBytes: 8 * GIB }),
    observe: async (deployment) => look(deployment),
    async apply(deployment, { say }) {
      const { imageId } = deployment.bundle;
      if (behaviour.startFailures.has(imageId)) logs.set(deployment.id, `init of ${imageId} begins\n`);
      else if (!running.has(deployment.id)) {
        say("Starting replica 1 of 1.");
        logs.set(deployment.id, `hello from ${imageId}\n`);
        await start(deployment);
      }
      await behaviour.afterStart(deployment);
      return look(deployment);
    },
    async remove({ id }) {
      if (running.has(id)) history.removed.push(id);
      await end(id);
    },
    logs: async ({ id }) => logs.get(id) ?? "",
  };

  return {
    target,
    behaviour,
    history,
    /** images of what runs now */
    images: () => [...running.values()].map(({ deployment }) => deployment.bundle.imageId),
    /** a replica dies by itself */
    async kill() {
      for (const id of [...running.keys()]) await end(id);
    },
    async close() {
      for (const id of [...running.keys()]) await end(id);
    },
  };
}
