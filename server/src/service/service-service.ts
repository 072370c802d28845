import { parseComputeType } from "../compute/index.ts";
import type { Image, ImageReader } from "../image/index.ts";
import type { OperationRunner, OperationStore } from "../operation/index.ts";
import { newHexId } from "../platform/ids.ts";
import type { SecretBox } from "../secret/index.ts";
import { changeCertificate, planCertificate } from "./change-certificate.ts";
import { checkCreate, checkImage, checkName, checkResources, checkScaling } from "./check-service.ts";
import { enqueueConfigure } from "./configure-service.operation.ts";
import { DELETE_SERVICE, type DeleteInput } from "./delete-service.operation.ts";
import { DEPLOY_SERVICE, type DeployInput } from "./deploy-service.operation.ts";
import type { Deployments } from "./deployments.ts";
import { enqueueScale } from "./scale-service.operation.ts";
import { errorOf, type RevisionSettings, type Service, serviceQueue } from "./service.ts";
import { type ServiceAddresses, underHost } from "./service-address.ts";
import { computeTypeChanged, serviceExists, serviceNotFound, undefinedIfNotFound } from "./service-errors.ts";
import { matches, type ServiceFilter } from "./service-filter.ts";
import { makeKey } from "./service-keys.ts";
import { composeLogs } from "./service-logs.ts";
import { gatewayProperties } from "./service-properties.ts";
import {
  asksForRevision,
  type CreateServiceRequest,
  describedBy,
  revisionSettings,
  type ServiceChanges,
  sameRevision,
  serviceSettings,
} from "./service-request.ts";
import type { ServiceStore, ServiceTransaction, StoredCertificate } from "./service-store.ts";

export interface ServiceServiceDependencies {
  readonly store: ServiceStore;
  readonly images: ImageReader;
  readonly deployments: Deployments;
  readonly addresses: ServiceAddresses;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake" | "cancel">;
  readonly operations: Pick<OperationStore, "inQueue" | "openInQueue" | "log">;
  readonly secrets: SecretBox;
}

/** A service with what a reader wants to know besides. */
export interface ServiceView {
  readonly service: Service;
  /** what serves, or what is asked for while nothing serves */
  readonly settings: RevisionSettings;
  readonly image: Image | undefined;
  readonly scoringUri: string;
  readonly certificate: StoredCertificate | undefined;
}

export type ServiceService = ReturnType<typeof createServiceService>;

export function createServiceService(dependencies: ServiceServiceDependencies) {
  const { store, images, deployments, addresses, runner, operations, secrets } = dependencies;

  async function get(workspaceId: string, name: string): Promise<Service> {
    const service = await store.findByName(workspaceId, name);
    if (service === undefined) throw serviceNotFound(name);
    return service;
  }

  async function view(service: Service): Promise<ServiceView> {
    const revision = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
    const settings = revision?.settings ?? service.desired;
    const image = await images.get(service.workspaceId, settings.imageId).catch(undefinedIfNotFound);
    const { scoringUri } = await addresses(service.workspaceId, service.name);
    const [certificate] = await store.certificates(service.id);
    const address = certificate === undefined ? scoringUri : underHost(scoringUri, certificate.cname);
    return { service, settings, image, scoringUri: address, certificate };
  }

  async function create(workspaceId: string, request: CreateServiceRequest): Promise<Service> {
    const { computeType, target, image } = await checkCreate({ images, deployments }, workspaceId, request);
    const before = await store.findByName(workspaceId, request.name);
    if (before !== undefined) checkOverwrite(before, request);
    const certificate = await planCertificate(dependencies, before?.id, request.certificate);
    await checkResources(target, revisionSettings(computeType, "", request));
    const imageId = image?.id ?? (await makeImage(workspaceId, request.name, request)).id;
    const desired = revisionSettings(computeType, imageId, request);
    const described = {
      description: request.description ?? null,
      tags: request.tags ?? {},
      properties: request.properties ?? {},
      wireExtras: request.wireExtras ?? {},
    };
    const settings = serviceSettings(computeType, request);

    await store.transaction(async (transaction) => {
      const existing = await store.findByName(workspaceId, request.name, transaction);
      if (existing !== undefined) checkOverwrite(existing, request);
      const id = existing?.id ?? newHexId();
      const service = {
        ...described,
        id,
        workspaceId,
        name: request.name,
        computeType,
        computeName: request.computeName ?? null,
        settings,
        desired,
        state: "Transitioning" as const,
      };
      if (existing === undefined) {
        const nothing = { attemptError: null, healthError: null, servingRevision: null, operationId: null };
        await store.insert({ ...service, ...nothing }, transaction);
      }
      for (const [kind, chosen] of [
        ["Primary", request.primaryKey],
        ["Secondary", request.secondaryKey],
      ] as const) {
        if (existing === undefined || chosen !== undefined) {
          await store.putKey(id, makeKey(secrets, kind, chosen), transaction);
        }
      }
      await changeCertificate(dependencies, id, certificate, transaction);
      const operationId = await enqueueDeploy(
        { id, workspaceId, name: request.name },
        desired,
        target.kind,
        transaction,
      );
      await store.update(id, { ...described, settings, desired, state: "Transitioning", operationId }, transaction);
    });
    runner.wake();
    return get(workspaceId, request.name);
  }

  /** @returns the service and the operation that carries the change out */
  async function update(workspaceId: string, name: string, changes: ServiceChanges): Promise<Service> {
    const { service, desired, certificate } = await plan(workspaceId, name, changes);
    const imageId =
      changes.imageRequest === undefined ? desired.imageId : (await makeImage(workspaceId, name, changes)).id;
    const redeploy = needsRevision(service, { ...desired, imageId }, changes);
    const serving = service.servingRevision === null ? undefined : await store.findRevision(service.servingRevision);
    await store.transaction(async (transaction) => {
      const now = await store.find(service.id, transaction);
      if (now === undefined) throw serviceNotFound(name);
      const next = revisionSettings(now.computeType, imageId, changes, now.desired);
      const settings = serviceSettings(now.computeType, changes, now.settings);
      await changeCertificate(dependencies, now.id, certificate, transaction);
      const operationId = redeploy
        ? await enqueueDeploy(now, next, deployments.targetFor(now.computeType).kind, transaction)
        : serving !== undefined && !settings.scaling.enabled && serving.settings.replicas !== next.replicas
          ? await enqueueScale(runner, now, serving, next.replicas, transaction)
          : await enqueueConfigure(runner, now, transaction);
      const state = redeploy ? { state: "Transitioning" as const } : {};
      await store.update(
        now.id,
        { ...describedBy(now, changes), ...state, desired: next, settings, operationId },
        transaction,
      );
    });
    runner.wake();
    return get(workspaceId, name);
  }

  /** What an update would lead to, checked but not done. */
  async function plan(workspaceId: string, name: string, changes: ServiceChanges) {
    const service = await get(workspaceId, name);
    await checkImage(images, workspaceId, changes);
    const { problem } = gatewayProperties(changes.properties ?? {});
    if (problem !== undefined) throw problem;
    const certificate = await planCertificate(dependencies, service.id, changes.certificate);
    const target = deployments.targetFor(service.computeType);
    checkScaling(target, serviceSettings(service.computeType, changes, service.settings).scaling);
    const desired = revisionSettings(
      service.computeType,
      changes.imageId ?? service.desired.imageId,
      changes,
      service.desired,
    );
    if (changes.cpu !== undefined || changes.memoryBytes !== undefined || changes.replicas !== undefined) {
      await checkResources(target, desired);
    }
    return { service, desired, certificate };
  }

  async function makeImage(workspaceId: string, name: string, { imageRequest }: ServiceChanges): Promise<Image> {
    if (imageRequest === undefined) throw new Error(`No image is asked for by service ${name}.`);
    return images.create(workspaceId, { ...imageRequest, name });
  }

  async function enqueueDeploy(
    service: Pick<Service, "id" | "workspaceId" | "name">,
    settings: RevisionSettings,
    target: DeployInput["target"],
    transaction: ServiceTransaction,
  ): Promise<string> {
    const input: DeployInput = { serviceId: service.id, name: service.name, settings, target };
    const queue = serviceQueue(service.id);
    return runner.enqueue({ workspaceId: service.workspaceId, kind: DEPLOY_SERVICE, input, queue }, transaction);
  }

  /** The name is free when this returns. @returns the operation that takes the replicas away; undefined if there is no such service */
  async function remove(workspaceId: string, name: string): Promise<string | undefined> {
    const done = await store.transaction(async (transaction) => {
      const service = await store.findByName(workspaceId, name, transaction);
      if (service === undefined) return undefined;
      await store.markDeleted(service.id, transaction);
      const input: DeleteInput = { serviceId: service.id, name };
      const queue = serviceQueue(service.id);
      const operationId = await runner.enqueue({ workspaceId, kind: DELETE_SERVICE, input, queue }, transaction);
      return { operationId, queue };
    });
    if (done === undefined) return undefined;
    for (const { id } of await operations.openInQueue(done.queue)) {
      if (id !== done.operationId) await runner.cancel(id);
    }
    runner.wake();
    return done.operationId;
  }

  return {
    create,
    update,
    remove,
    view,
    /** @throws {AppError} ServiceNotFound */
    get,

    async list(workspaceId: string, filter: ServiceFilter): Promise<ServiceView[]> {
      const views = await Promise.all((await store.list(workspaceId)).map(view));
      return views.filter(({ service, settings, image }) => matches(service, settings.imageId, image, filter));
    },

    /** Says why a create of this name would be refused. @throws {AppError} */
    async validateName(workspaceId: string, name: string): Promise<void> {
      checkName(name);
      if ((await store.findByName(workspaceId, name)) !== undefined) throw serviceExists(name);
    },

    /** @throws {AppError} what `create` would throw, but for lacking resources */
    async validateCreate(workspaceId: string, request: CreateServiceRequest): Promise<void> {
      await checkCreate({ images, deployments }, workspaceId, request);
      const before = await store.findByName(workspaceId, request.name);
      if (before !== undefined) checkOverwrite(before, request);
      await planCertificate(dependencies, before?.id, request.certificate);
    },

    /** @throws {AppError} CpuNotAvailable, MemoryNotAvailable, saying what is free */
    async validateResources(request: Pick<CreateServiceRequest, "computeType" | "cpu" | "memoryBytes" | "replicas">) {
      const computeType = parseComputeType(request.computeType);
      if (computeType === undefined) return;
      await checkResources(deployments.targetFor(computeType), revisionSettings(computeType, "", request));
    },

    /** @throws {AppError} what `update` would throw */
    async validateUpdate(workspaceId: string, name: string, changes: ServiceChanges): Promise<void> {
      await plan(workspaceId, name, changes);
    },

    /** How the last attempt went and what the replicas of the newest revision wrote; never empty. */
    async logs(workspaceId: string, name: string, tail: number): Promise<string> {
      const service = await get(workspaceId, name);
      const [revision] = await store.revisions(service.id);
      const replicaLog = revision ? await deployments.targetOf(revision).logs({ id: revision.id }, { tail }) : "";
      const last = (await operations.inQueue(serviceQueue(service.id))).find(({ kind }) => kind === DEPLOY_SERVICE);
      const operation = last ? await operations.log(last.id) : [];
      return composeLogs({ operation, revision, replicaLog, error: errorOf(service) }, tail);
    },
  };
}

function checkOverwrite(existing: Service, request: CreateServiceRequest): void {
  if (!request.overwrite) throw serviceExists(request.name);
  const computeType = parseComputeType(request.computeType);
  if (computeType !== existing.computeType) {
    throw computeTypeChanged(request.name, existing.computeType, request.computeType);
  }
}

/** The same settings again are a revision only where nothing serves: a second try of what failed. */
function needsRevision(service: Service, next: RevisionSettings, changes: ServiceChanges): boolean {
  if (!asksForRevision(changes)) return false;
  return service.servingRevision === null || !sameRevision(service.desired, next);
}

/** For the image room: which services would break without an image, in words. */
export function serviceUsersOfImage(store: ServiceStore) {
  return async (workspaceId: string, imageId: string): Promise<readonly string[]> => {
    const users: string[] = [];
    for (const service of await store.list(workspaceId)) {
      const revisions = (await store.revisions(service.id)).filter(({ removedAt }) => removedAt === null);
      const imageIds = [service.desired, ...revisions.map(({ settings }) => settings)].map(
        (settings) => settings.imageId,
      );
      if (imageIds.includes(imageId)) users.push(`service ${service.name}`);
    }
    return users;
  };
}
