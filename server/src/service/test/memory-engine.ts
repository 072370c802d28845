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

interface Identity {
  readonly nonce: string;
  readonly socket: string;
}

/** An engine in memory behind the target contract. Replicas answer frames on real sockets; tests decide how they do. */
export function createEngine(folder: string) {
  /** by replica id */
  const running = new Map<string, Running>();
  /** by deployment id: what its first replica will be when it is woken */
  const standbys = new Map<string, Identity & { readonly deployment: Deployment }>();
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

  const newIdentity = (): Identity => ({ nonce: newSecret(), socket: join(folder, `${newShortId()}.sock`) });

  async function start(deployment: Deployment, index: number, { nonce, socket }: Identity): Promise<void> {
    const connections = new Set<Socket>();
    const server = createServer((peer) => {
      connections.add(peer);
      const hello = { protocol: FRAME_PROTOCOL_VERSION, role: "scorer", nonce };
      peer.write(encodeFrame(0, FrameKind.HELLO, Buffer.from(JSON.stringify(hello))));
      const decoder = new FrameDecoder(({ id, kind, body }) => {
        if (kind !== FrameKind.REQUEST) return;
        const bytes = Buffer.from(body);
        const head = JSON.parse(bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString()) as RequestHead;
        const [status, text] = answer(deployment, head.p, bytes.subarray(4 + bytes.readUInt32BE(0)).toString());
        const response = Buffer.alloc(8);
        response.writeUInt16BE(status);
        response.writeUInt32BE(2, 2);
        response.write("{}", 6);
        peer.write(encodeFrame(id, FrameKind.RESPONSE, Buffer.concat([response, Buffer.from(text)])));
      });
      peer.on("data", (chunk) => decoder.push(chunk));
      peer.on("error", () => peer.destroy());
    });
    await once(server.listen(socket), "listening");
    const replicaId = `${deployment.id}-${index}`;
    running.set(replicaId, { deployment, replicaId, nonce, socket, server, connections });
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

  async function end(replicaId: string): Promise<void> {
    const entry = running.get(replicaId);
    if (entry === undefined) return;
    running.delete(replicaId);
    for (const socket of entry.connections) socket.destroy();
    entry.server.close();
  }

  const replicasOf = (id: string) => [...running.values()].filter(({ deployment }) => deployment.id === id);

  function look({ id, bundle, replicas: wanted }: Deployment): Observation {
    const entries = replicasOf(id).slice(0, Math.max(1, wanted));
    const cause = behaviour.startFailures.get(bundle.imageId);
    const enforcement = "none";
    const identity = wanted === 0 ? standbys.get(id) : undefined;
    const standby = identity && { id: `${id}-0`, nonce: identity.nonce, framesSocket: identity.socket };
    const common = { enforcement, ...(standby && { standby: { ...standby, startFile: `${folder}/${id}.json` } }) };
    if (entries.length === 0) {
      const state = standby !== undefined ? "asleep" : cause ? "failed" : "absent";
      return { state, replicas: [], ...common, ...(cause && { cause }) };
    }
    const replicas = entries.map(({ replicaId, socket, nonce }) => {
      const replica = { id: replicaId, framesSocket: socket, nonce, restarts: 0, memoryBytes: 1 };
      return { ...replica, state: "ready" as const, timings: { init: 400 } };
    });
    return { state: replicas.length < wanted ? "degraded" : "ready", replicas, ...common };
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
      for (const { replicaId } of replicasOf(deployment.id).slice(deployment.replicas)) await end(replicaId);
      if (deployment.replicas === 0) {
        standbys.set(deployment.id, standbys.get(deployment.id) ?? { ...newIdentity(), deployment });
      }
      if (behaviour.startFailures.has(imageId)) logs.set(deployment.id, `init of ${imageId} begins\n`);
      for (let index = 0; index < deployment.replicas && !behaviour.startFailures.has(imageId); index += 1) {
        if (running.has(`${deployment.id}-${index}`)) continue;
        say(`Starting replica ${index + 1} of ${deployment.replicas}.`);
        logs.set(deployment.id, `hello from ${imageId}\n`);
        await start(deployment, index, newIdentity());
      }
      await behaviour.afterStart(deployment);
      return look(deployment);
    },
    async remove({ id }) {
      const replicas = replicasOf(id);
      if (replicas.length > 0) history.removed.push(id);
      standbys.delete(id);
      for (const { replicaId } of replicas) await end(replicaId);
    },
    logs: async ({ id }) => logs.get(id) ?? "",
  };

  return {
    target,
    behaviour,
    history,
    /** images of what runs now */
    images: () => [...running.values()].map(({ deployment }) => deployment.bundle.imageId),
    /** the gateway starts what sleeps */
    async wake() {
      for (const standby of standbys.values()) await start(standby.deployment, 0, standby);
    },
    /** a replica dies by itself */
    async kill() {
      for (const id of [...running.keys()]) await end(id);
    },
    async close() {
      for (const id of [...running.keys()]) await end(id);
    },
  };
}
