import type { Cause } from "@slipway/api";
import type { ImageReader } from "../image/index.ts";
import type { ModelReader } from "../model/index.ts";
import { defineOperation, isTerminal, need, operationCancelled, type StepContext } from "../operation/index.ts";
import type { AppError } from "../platform/errors.ts";
import { newShortId } from "../platform/ids.ts";
import type { Observation, TargetKind } from "../target/target.ts";
import { preflight } from "./preflight.ts";
import { type RetireDependencies, retireRevision } from "./retire-revision.ts";
import { type RoutePublisher, readyReplicas } from "./route-publisher.ts";
import { firstReplicas } from "./scaling.ts";
import type { Revision, RevisionSettings, Service } from "./service.ts";
import { MAX_DRAIN_MS, START_TIMEOUT_MS } from "./service-defaults.ts";
import { causeOf, deploymentFailed, imageNotUsable } from "./service-errors.ts";
import { sameRevision } from "./service-request.ts";

export const DEPLOY_SERVICE = "service.deploy";
export const WAIT_FOR_IMAGE = "wait for image";

/** Absolute settings: what another operation does meanwhile does not change what this one brings up. */
export interface DeployInput {
  readonly serviceId: string;
  readonly name: string;
  readonly settings: RevisionSettings;
  readonly target: TargetKind;
}

interface DeployState {
  readonly revisionId: string;
  /** what served before; it serves again if this does not work out */
  readonly previousRevision: string | null;
  readonly switched: boolean;
}

type Context = StepContext<DeployInput, DeployState>;

export interface DeployDependencies extends RetireDependencies {
  readonly images: ImageReader;
  readonly models: ModelReader;
  readonly publisher: RoutePublisher;
}

/** A first build resolves and downloads a whole environment; its own steps have tighter limits. */
const IMAGE_MS = 3_600_000;
const SHORT_MS = 30_000;
/** The target decides at {@link START_TIMEOUT_MS}, with a cause; this is for a target that hangs. */
const START_MS = START_TIMEOUT_MS + 60_000;
const PREFLIGHT_MS = 90_000;
/** A gateway that restarts is back in a second; one that is away for this long needs a person. */
const SWITCH_MS = 60_000;
/** Replicas end within seconds when told to. */
const RETIRE_MS = MAX_DRAIN_MS + 60_000;
const PUBLISH_AFTER_FAILURE_MS = 10_000;

/** Creates and updates alike: brings up a revision beside the old one, checks it, gives it the traffic, takes the old one away. */
export function deployServiceOperation(dependencies: DeployDependencies) {
  const { store, images, models, deployments, publisher, log } = dependencies;

  async function waitForImage({ input, workspaceId, follow, say }: Context) {
    const service = await living(input);
    const { imageId } = input.settings;
    const image = await images.get(workspaceId, imageId);
    if (!isTerminal(image.state)) {
      say(`Waiting for image ${imageId}.`);
      await follow(image.operationId);
    }
    const built = await images.get(workspaceId, imageId);
    if (built.state !== "Succeeded") throw imageNotUsable(imageId, built.state, built.error);
    await store.update(service.id, { state: "Transitioning" });
    return undefined;
  }

  async function recordRevision({ operationId, input, say }: Context) {
    const service = await living(input);
    const { target } = input;
    const serving = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
    const { scaling } = service.settings;
    const replicas = firstReplicas(scaling, input.settings.replicas, serving?.settings.replicas);
    const settings = { ...input.settings, replicas };
    const revision = await store.recordRevision({
      id: newShortId(),
      serviceId: service.id,
      operationId,
      settings,
      target,
    });
    say(`Revision ${revision.number} of ${input.name}: image ${settings.imageId}, ${target} target.`);
    return { revisionId: revision.id, previousRevision: service.servingRevision };
  }

  async function startReplicas({ input, state, signal, say }: Context) {
    const { service, revision } = await subject(input, state);
    const deployment = await deployments.of(service, revision);
    requireReady(await deployments.targetOf(revision).apply(deployment, { signal, say }), revision);
    return undefined;
  }

  async function checkRun({ input, state, signal, say, workspaceId }: Context) {
    const { service, revision } = await subject(input, state);
    const [replica] = requireReady(await observe(service, revision), revision);
    const { modelIds } = await images.get(workspaceId, revision.settings.imageId);
    const { scoringTimeoutMs } = revision.settings;
    const cause = await preflight(models, { workspaceId, modelIds, replica, scoringTimeoutMs, signal, say });
    if (cause !== undefined) throw deploymentFailed(cause);
    return undefined;
  }

  async function switchTraffic({ input, state, signal, say }: Context) {
    const { service, revision } = await subject(input, state);
    const replicas = requireReady(await observe(service, revision), revision);
    say(`Switching traffic to revision ${revision.number}.`);
    await store.update(service.id, { servingRevision: revision.id });
    await store.updateRevision(revision.id, { state: "serving" });
    const { unreachableReplicas = [] } = await publisher.publish(signal);
    if (replicas.every(({ id }) => unreachableReplicas.includes(id)))
      throw deploymentFailed(gatewayCannotReach(revision));
    return { switched: true };
  }

  async function retireOthers({ input, state, signal, say }: Context) {
    const { service, revision } = await subject(input, state);
    for (const other of await store.revisions(service.id)) {
      if (other.id === revision.id || other.removedAt !== null) continue;
      try {
        await retireRevision(dependencies, service, other, { signal, say });
      } catch (error) {
        signal.throwIfAborted();
        // The new revision serves: this is not its failure. The reconciler takes the old one away later.
        log.warn("an old revision could not be taken away yet", { revision: other.id, error });
        say(`Revision ${other.number} could not be taken away yet; it is tried again.`);
      }
    }
    return undefined;
  }

  async function markHealthy({ input, state, say }: Context) {
    const { service, revision } = await subject(input, state);
    await store.update(service.id, { state: "Healthy", attemptError: null, healthError: null });
    say(`Revision ${revision.number} serves ${input.name}.`);
    return undefined;
  }

  async function failed({ operationId, input, state, signal, say }: Context, error: AppError): Promise<void> {
    const revision = await store.revisionOfOperation(operationId);
    const service = await store.find(input.serviceId);
    // Its deletion, which waits behind this, takes everything away.
    if (service === undefined) return;
    if (revision !== undefined && state.switched) {
      await store.update(service.id, { state: "Healthy", attemptError: null });
      return;
    }
    const cause = causeOf(error);
    const before =
      service.servingRevision === revision?.id ? (state.previousRevision ?? null) : service.servingRevision;
    const serving = before === null ? undefined : await store.findRevision(before);
    await store.update(service.id, {
      servingRevision: serving?.id ?? null,
      state: serving === undefined ? "Failed" : "Healthy",
      attemptError: cause,
      ...(serving !== undefined && sameRevision(service.desired, input.settings)
        ? { desired: { ...serving.settings, replicas: service.desired.replicas } }
        : {}),
    });
    say(`Failed: ${error.message}`);
    if (serving !== undefined) say(`Revision ${serving.number} keeps serving.`);
    if (revision === undefined) return;
    await store.updateRevision(revision.id, { state: "failed", cause });
    await publishSoon(signal);
    await deployments.targetOf(revision).remove({ id: revision.id }, { signal, say });
    await store.updateRevision(revision.id, { removed: true });
  }

  async function publishSoon(signal: AbortSignal): Promise<void> {
    try {
      await publisher.publish(AbortSignal.any([signal, AbortSignal.timeout(PUBLISH_AFTER_FAILURE_MS)]));
    } catch (error) {
      signal.throwIfAborted();
      log.warn("the gateway has not confirmed the routes", { error });
    }
  }

  async function living({ serviceId }: DeployInput): Promise<Service> {
    const service = await store.find(serviceId);
    if (service === undefined) throw operationCancelled();
    return service;
  }

  async function subject(input: DeployInput, state: Context["state"]) {
    const service = await living(input);
    const revision = await store.findRevision(need(state, "revisionId"));
    if (revision === undefined) throw operationCancelled();
    return { service, revision };
  }

  async function observe(service: Service, revision: Revision): Promise<Observation> {
    return deployments.targetOf(revision).observe(await deployments.of(service, revision));
  }

  return defineOperation<DeployInput, DeployState>({
    kind: DEPLOY_SERVICE,
    version: 1,
    steps: [
      { name: WAIT_FOR_IMAGE, timeoutMs: IMAGE_MS, run: waitForImage },
      { name: "record revision", timeoutMs: SHORT_MS, run: recordRevision },
      { name: "start replicas", timeoutMs: START_MS, run: startReplicas },
      { name: "check run()", timeoutMs: PREFLIGHT_MS, run: checkRun },
      { name: "switch traffic", timeoutMs: SWITCH_MS, run: switchTraffic },
      { name: "retire the old revision", timeoutMs: RETIRE_MS, run: retireOthers },
      { name: "mark healthy", timeoutMs: SHORT_MS, run: markHealthy },
    ],
    failed,
  });
}

/** All replicas that must be there, or the cause why they are not. */
function requireReady(observation: Observation, revision: Revision) {
  const [first, ...rest] = readyReplicas(observation);
  if (observation.state === "ready" && first !== undefined) return [first, ...rest] as const;
  const cause = observation.cause ?? observation.replicas.find((replica) => replica.cause)?.cause;
  throw deploymentFailed(cause ?? notReady(observation, revision));
}

function notReady({ state }: Observation, { number }: Revision): Cause {
  return {
    code: "RevisionNotReady",
    message: `Revision ${number} is ${state} although it was started.`,
    nextAction: "get_logs() shows what its replicas wrote.",
  };
}

function gatewayCannotReach({ number }: Revision): Cause {
  return {
    code: "GatewayCannotReach",
    message: `The gateway cannot connect to the replicas of revision ${number}, which are ready.`,
    nextAction: "The gateway's log names the reason.",
  };
}
