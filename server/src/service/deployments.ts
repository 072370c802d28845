import { type ComputeTargets, type ComputeType, computeNotConfigured } from "../compute/index.ts";
import type { ImageReader } from "../image/index.ts";
import type { Deployment, Target, TargetKind } from "../target/target.ts";
import type { Workspace } from "../workspace/index.ts";
import type { Revision, Service } from "./service.ts";
import { MAX_BODY_BYTES, START_TIMEOUT_MS } from "./service-defaults.ts";

export type Targets = Readonly<Partial<Record<TargetKind, Target>>>;

/** From revisions to what targets understand. */
export interface Deployments {
  /** @throws {AppError} ComputeNotConfigured */
  targetFor(computeType: ComputeType): Target;
  /** The target that a revision was made for. @throws {Error} when this installation lost it */
  targetOf(revision: Revision): Target;
  /** @throws {AppError} ImageNotFound, ImageNotReady */
  of(service: Service, revision: Revision): Promise<Deployment>;
}

export function createDeployments(dependencies: {
  readonly images: Pick<ImageReader, "bundle">;
  readonly targets: Targets;
  readonly computeTargets: ComputeTargets;
  readonly workspaces: { byId(id: string): Promise<Workspace | undefined> };
}): Deployments {
  const { images, targets, computeTargets, workspaces } = dependencies;
  return {
    targetFor(computeType) {
      const kind = computeTargets[computeType];
      const target = targets[kind];
      if (target === undefined) throw computeNotConfigured(computeType, kind);
      return target;
    },
    targetOf(revision) {
      const target = targets[revision.target];
      if (target === undefined) throw new Error(`Revision ${revision.id} needs the target ${revision.target}.`);
      return target;
    },
    async of(service, revision) {
      const workspace = await workspaces.byId(service.workspaceId);
      const { imageId, ...limits } = revision.settings;
      return {
        ...limits,
        id: revision.id,
        workspace: workspace?.name ?? service.workspaceId,
        service: service.name,
        revision: revision.number,
        bundle: await images.bundle(service.workspaceId, imageId),
        startTimeoutMs: START_TIMEOUT_MS,
        maxBodyBytes: MAX_BODY_BYTES,
      };
    },
  };
}
