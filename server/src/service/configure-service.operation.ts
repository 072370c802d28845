import { defineOperation, type OperationRunner } from "../operation/index.ts";
import type { RoutePublisher } from "./route-publisher.ts";
import { type Service, serviceQueue } from "./service.ts";
import type { ServiceTransaction } from "./service-store.ts";

export const CONFIGURE_SERVICE = "service.configure";

export interface ConfigureInput {
  readonly serviceId: string;
  readonly name: string;
}

/** A gateway that restarts is back in a second; one that is away for this long needs a person. */
const PUBLISH_MS = 60_000;

/** Settings and keys that need no new revision are stored before this begins; it ends when the gateway goes by them. */
export function configureServiceOperation({ publisher }: { readonly publisher: RoutePublisher }) {
  return defineOperation<ConfigureInput, Record<string, never>>({
    kind: CONFIGURE_SERVICE,
    version: 1,
    steps: [
      {
        name: "publish settings",
        timeoutMs: PUBLISH_MS,
        async run({ input, signal, say }) {
          say(`Telling the gateway the new settings of ${input.name}.`);
          await publisher.publish(signal);
          return undefined;
        },
      },
    ],
  });
}

/** @returns the operation's id */
export function enqueueConfigure(
  runner: Pick<OperationRunner, "enqueue">,
  { id, workspaceId, name }: Service,
  transaction: ServiceTransaction,
): Promise<string> {
  const input: ConfigureInput = { serviceId: id, name };
  return runner.enqueue({ workspaceId, kind: CONFIGURE_SERVICE, input, queue: serviceQueue(id) }, transaction);
}
