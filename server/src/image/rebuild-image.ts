import type { EnvironmentRequest } from "../environment/index.ts";
import type { Clock } from "../platform/clock.ts";
import { newSecret, newUuid } from "../platform/ids.ts";
import type { BuiltImage, Image, ImagePlan } from "./image.ts";
import type { NewImage } from "./image-store.ts";

/** What a build takes over from the image that it makes again, instead of finding it out. It looks at the base again. */
export interface RebuildInput {
  /** absent if that image was never built */
  readonly plan?: ImagePlan;
  readonly environmentRequest?: EnvironmentRequest;
}

/** Properties that builds write; each build writes its own. */
const WRITTEN_BY_BUILDS = "slipway.";

/** The next version of an image: what was asked for is the same. */
export function rebuiltImage(image: Image, clock: Clock): NewImage {
  const own = Object.entries(image.properties).filter(([name]) => !name.startsWith(WRITTEN_BY_BUILDS));
  return {
    ...image,
    properties: { ...Object.fromEntries(own), "slipway.rebuilt-from": image.id },
    operationId: newUuid(),
    linkSecret: newSecret(),
    createdAt: clock.now().toISOString(),
  };
}

/** @param resolution names a new resolution of the packages; undefined: the lock stays */
export function rebuildOf(built: BuiltImage | undefined, resolution: string | undefined): RebuildInput {
  if (built === undefined) return {};
  const { plan, environmentRequest } = built;
  if (environmentRequest === null) return { plan };
  if (resolution === undefined) return { plan, environmentRequest };
  const { resolver, ...asked } = environmentRequest;
  return { plan, environmentRequest: { ...asked, resolution } };
}
