import type { OperationRunner, OperationStore } from "../operation/index.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Workspace } from "../workspace/index.ts";
import { COLLECTION_QUEUE, type CollectionInput, GARBAGE_COLLECTION } from "./collect-garbage.operation.ts";
import { defaultRules } from "./collect-garbage.ts";

const DAY_MS = 24 * 3_600_000;
const LOOK_MS = 3_600_000;

export interface CollectionScheduleDependencies {
  readonly operations: Pick<OperationStore, "inQueue">;
  readonly runner: Pick<OperationRunner, "enqueue" | "wake">;
  /** whose operation it is; its age is that of the installation */
  readonly workspace: Workspace;
  readonly clock: Clock;
  readonly log: Log;
}

/** Collects garbage once a day, counted from the last time that anybody did. */
export function createCollectionSchedule({
  operations,
  runner,
  workspace,
  clock,
  log,
}: CollectionScheduleDependencies) {
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    try {
      const last = (await operations.inQueue(COLLECTION_QUEUE)).find(
        (operation) => operation.endedAt === null || (operation.input as CollectionInput).dryRun === false,
      );
      const since = Date.parse(last?.createdAt ?? workspace.createdAt);
      if (last?.endedAt === null || clock.now().getTime() - since < DAY_MS) return;
      await collect(runner, workspace.id, { ...defaultRules, dryRun: false });
    } catch (error) {
      log.error("garbage collection not begun", { error });
    }
  }

  return {
    look,
    start(): void {
      timer = setInterval(() => void look(), LOOK_MS);
      void look();
    },
    stop(): void {
      clearInterval(timer);
    },
  };
}

/** @returns the operation's id */
export async function collect(
  runner: Pick<OperationRunner, "enqueue" | "wake">,
  workspaceId: string,
  input: CollectionInput,
): Promise<string> {
  const id = await runner.enqueue({ kind: GARBAGE_COLLECTION, workspaceId, input, queue: COLLECTION_QUEUE });
  runner.wake();
  return id;
}
