import { serviceNames } from "@slipway/api";
import { computeTypeUnknown, parseComputeType } from "../compute/index.ts";
import type { Image, ImageReader } from "../image/index.ts";
import type { Target } from "../target/target.ts";
import type { Deployments } from "./deployments.ts";
import type { Scaling } from "./service.ts";
import {
  cpuNotAvailable,
  imageNotUsable,
  memoryNotAvailable,
  scalingInvalid,
  serviceImageAmbiguous,
  serviceImageMissing,
  serviceNameInvalid,
  settingUnsupported,
  targetNotReady,
} from "./service-errors.ts";
import { checkKey } from "./service-keys.ts";
import { gatewayProperties } from "./service-properties.ts";
import { type CreateServiceRequest, type RequestedSettings, serviceSettings } from "./service-request.ts";

/** @throws {AppError} ServiceNameInvalid */
export function checkName(name: string): void {
  if (!serviceNames.matches(name)) throw serviceNameInvalid(name);
}

/** Everything about a create that can be said without doing it, but for the name being free. */
export async function checkCreate(
  { images, deployments }: { readonly images: ImageReader; readonly deployments: Deployments },
  workspaceId: string,
  request: CreateServiceRequest,
) {
  checkName(request.name);
  if (request.primaryKey !== undefined) checkKey("keys.primaryKey", request.primaryKey);
  if (request.secondaryKey !== undefined) checkKey("keys.secondaryKey", request.secondaryKey);
  const computeType = parseComputeType(request.computeType);
  if (computeType === undefined) throw computeTypeUnknown(request.computeType);
  const { problem } = gatewayProperties(request.properties ?? {});
  if (problem !== undefined) throw problem;
  const target = deployments.targetFor(computeType);
  checkScaling(target, serviceSettings(computeType, request).scaling);
  const image = await checkImage(images, workspaceId, request);
  if (image === undefined && request.imageRequest === undefined) throw serviceImageMissing();
  return { computeType, target, image };
}

/** The image that a request names, if it names one, and if it can be deployed now or once its build has ended. */
export async function checkImage(
  images: ImageReader,
  workspaceId: string,
  { imageId, imageRequest }: RequestedSettings,
): Promise<Image | undefined> {
  if (imageId === undefined) return undefined;
  if (imageRequest !== undefined) throw serviceImageAmbiguous();
  const image = await images.get(workspaceId, imageId);
  const usable = image.state === "Succeeded" || image.state === "Running" || image.state === "NotStarted";
  if (!usable) throw imageNotUsable(imageId, image.state, image.error);
  return image;
}

/** @throws {AppError} ScalingInvalid, SettingUnsupported */
export function checkScaling({ kind, capabilities }: Target, scaling: Scaling): void {
  const { enabled, minReplicas, maxReplicas } = scaling;
  if (!enabled) return;
  if (!capabilities.autoscale)
    throw settingUnsupported("autoScaler", `the ${kind} target has a fixed number of replicas.`);
  if (maxReplicas < 1 || minReplicas > maxReplicas) throw scalingInvalid(minReplicas, maxReplicas);
  if (minReplicas === 0 && !capabilities.sleep) {
    throw settingUnsupported(
      "autoScaler.minReplicas 0",
      `services on the ${kind} target cannot sleep. Use at least 1.`,
    );
  }
}

/**
 * CPU is a weight, so one replica may ask for what one machine has; memory is a limit, and all replicas count.
 *
 * @throws {AppError} TargetNotReady, CpuNotAvailable, MemoryNotAvailable
 */
export async function checkResources(
  target: Target,
  wanted: { readonly cpu: number; readonly memoryBytes: number; readonly replicas: number },
): Promise<void> {
  const check = await target.check();
  if (!check.ok) throw targetNotReady(target.kind, check.reason, check.nextAction);
  const free = await target.capacity();
  if (wanted.cpu > free.cpu) throw cpuNotAvailable(wanted.cpu, free.cpu);
  const memoryBytes = wanted.memoryBytes * wanted.replicas;
  if (memoryBytes > free.memoryBytes) throw memoryNotAvailable(memoryBytes, free.memoryBytes);
}
