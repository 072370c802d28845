import { defineOperation, type StepContext } from "../operation/index.ts";
import { type RetireDependencies, retireRevision } from "./retire-revision.ts";
import type { RoutePublisher } from "./route-publisher.ts";
import { MAX_DRAIN_MS } from "./service-defaults.ts";

export const DELETE_SERVICE = "service.delete";

export interface DeleteInput {
  readonly serviceId: string;
  readonly name: string;
}

/** A gateway that is down has no requests to protect and reads the new routes when it starts. */
const PUBLISH_MS = 10_000;
const ROUTE_MS = 30_000;
const REMOVE_MS = MAX_DRAIN_MS + 120_000;
const SHORT_MS = 30_000;

/**
 * Takes away what is left of a service whose name is free already. Each step finds less to do when it comes again, and an
 * operation that failed is made anew by the reconciler, so a deletion always ends.
 */
export function deleteServiceOperation(dependencies: RetireDependencies & { readonly publisher: RoutePublisher }) {
  const { store, publisher, log } = dependencies;
  type Context = StepContext<DeleteInput, Record<string, never>>;

  return defineOperation<DeleteInput, Record<string, never>>({
    kind: DELETE_SERVICE,
    version: 1,
    steps: [
      {
        name: "take the route away",
        timeoutMs: ROUTE_MS,
        async run({ input, signal, say }: Context) {
          say(`Taking the route of ${input.name} away.`);
          try {
            await publisher.publish(AbortSignal.any([signal, AbortSignal.timeout(PUBLISH_MS)]));
          } catch (error) {
            signal.throwIfAborted();
            log.warn("the gateway has not confirmed the routes", { error });
          }
          return undefined;
        },
      },
      {
        name: "remove replicas",
        timeoutMs: REMOVE_MS,
        async run({ input, signal, say }: Context) {
          const service = await store.findDeleted(input.serviceId);
          if (service === undefined) return undefined;
          const revisions = await store.revisions(service.id);
          const left = revisions.filter(({ removedAt }) => removedAt === null);
          await Promise.all(left.map((revision) => retireRevision(dependencies, service, revision, { signal, say })));
          return undefined;
        },
      },
      {
        name: "forget",
        timeoutMs: SHORT_MS,
        async run({ input, say }: Context) {
          await store.forget(input.serviceId);
          say(`The service ${input.name} is deleted.`);
          return undefined;
        },
      },
    ],
  });
}
