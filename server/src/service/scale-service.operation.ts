import { defineOperation, type OperationRunner, type StepContext } from "../operation/index.ts";
import type { RetireDependencies } from "./retire-revision.ts";
import type { RoutePublisher } from "./route-publisher.ts";
import { type Revision, type Service, serviceQueue } from "./service.ts";
import { MAX_DRAIN_MS, START_TIMEOUT_MS } from "./service-defaults.ts";
import type { ServiceTransaction } from "./service-store.ts";

export const SCALE_SERVICE = "service.scale";

export interface ScaleInput {
  readonly serviceId: string;
  readonly name: string;
  readonly revisionId: string;
  readonly replicas: number;
}

interface ScaleState {
  /** replicas that are on their way out */
  readonly leaving: readonly string[];
}

const SHORT_MS = 30_000;
const PUBLISH_MS = 60_000;
const REPLICAS_MS = START_TIMEOUT_MS + MAX_DRAIN_MS;

/**
 * Another number of replicas for the revision that serves. What leaves gets no new requests first, finishes those it has, and is
 * then stopped; what comes gets requests once it is ready. A revision that does not serve any more is left alone.
 */
export function scaleServiceOperation(dependencies: RetireDependencies & { readonly publisher: RoutePublisher }) {
  const { store, deployments, gateway, publisher } = dependencies;
  type Context = StepContext<ScaleInput, ScaleState>;

  /** Undefined when an update or a deletion has come in between. */
  async function subject({ serviceId, revisionId }: ScaleInput) {
    const service = await store.find(serviceId);
    const revision = await store.findRevision(revisionId);
    return service?.servingRevision === revisionId && revision !== undefined ? { service, revision } : undefined;
  }

  async function setNumber({ input, say }: Context) {
    const found = await subject(input);
    if (found === undefined) return { leaving: [] };
    const { service, revision } = found;
    const before = revision.settings.replicas;
    const observation = await deployments.targetOf(revision).observe(await deployments.of(service, revision));
    const settings = { ...revision.settings, replicas: input.replicas };
    await store.updateRevision(revision.id, { settings });
    if (before !== input.replicas) say(`${input.name} goes from ${before} to ${input.replicas} replicas.`);
    return { leaving: observation.replicas.slice(input.replicas).map(({ id }) => id) };
  }

  async function publish({ input, signal }: Context) {
    if ((await subject(input)) !== undefined) await publisher.publish(signal);
    return undefined;
  }

  async function bringAbout({ input, state, signal, say }: Context) {
    const found = await subject(input);
    if (found === undefined) return undefined;
    const { service, revision } = found;
    const waitMs = Math.min(revision.settings.scoringTimeoutMs, MAX_DRAIN_MS);
    await Promise.all((state.leaving ?? []).map((id) => gateway.inFlight(id, waitMs, signal)));
    const target = deployments.targetOf(revision);
    const { replicas } = await target.apply(await deployments.of(service, revision), { signal, say });
    // What failed is the reconciler's: it tries again and says why on the service.
    const ready = replicas.filter(({ state: now }) => now === "ready").length;
    if (ready < input.replicas) say(`${ready} of ${input.replicas} replicas are ready.`);
    return undefined;
  }

  return defineOperation<ScaleInput, ScaleState>({
    kind: SCALE_SERVICE,
    version: 1,
    steps: [
      { name: "set the number", timeoutMs: SHORT_MS, run: setNumber },
      { name: "send requests elsewhere", timeoutMs: PUBLISH_MS, run: publish },
      { name: "start and stop replicas", timeoutMs: REPLICAS_MS, run: bringAbout },
      { name: "send requests to all", timeoutMs: PUBLISH_MS, run: publish },
    ],
  });
}

/** @returns the operation's id */
export function enqueueScale(
  runner: Pick<OperationRunner, "enqueue">,
  { id, workspaceId, name }: Service,
  revision: Revision,
  replicas: number,
  transaction?: ServiceTransaction,
): Promise<string> {
  const input: ScaleInput = { serviceId: id, name, revisionId: revision.id, replicas };
  return runner.enqueue({ workspaceId, kind: SCALE_SERVICE, input, queue: serviceQueue(id) }, transaction);
}
