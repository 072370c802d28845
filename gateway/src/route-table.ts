import type { ServiceRoute } from "@slipway/api";
import type { Authorize } from "./credential.ts";
import type { ServiceLoad } from "./service-load.ts";
import type { ServiceMetrics } from "./service-metrics.ts";
import type { ServiceQueue } from "./service-queue.ts";
import type { Sleeper } from "./sleeper.ts";

export interface RoutedService {
  readonly route: ServiceRoute;
  readonly authorize: Authorize;
  readonly queue: ServiceQueue;
  readonly load: ServiceLoad;
  readonly metrics: ServiceMetrics;
  /** only of a service that sleeps */
  readonly sleeper: Sleeper | undefined;
}

export interface RouteTable {
  readonly version: number;
  readonly services: ReadonlyMap<string, RoutedService>;
  /** The service with the longest base path that the path lies under, and what follows it, at least `/`. */
  find(path: string): { readonly service: RoutedService; readonly rest: string } | undefined;
}

export function createRouteTable(version: number, services: ReadonlyMap<string, RoutedService>): RouteTable {
  const longest = Math.max(0, ...[...services.keys()].map((basePath) => basePath.length));
  return {
    version,
    services,
    find(path) {
      // Only at slashes, and never beyond the longest base path: a path of thousands of slashes costs nothing.
      let end = path.length <= longest ? path.length : path.lastIndexOf("/", longest);
      while (end > 0) {
        const service = services.get(path.slice(0, end));
        if (service !== undefined) return { service, rest: path.slice(end) || "/" };
        end = path.lastIndexOf("/", end - 1);
      }
      return undefined;
    },
  };
}
