import { OperationPath, OperationQuery, WireOperation, WireOperationList } from "@slipway/api";
import type { HttpApp } from "../platform/http/app.ts";
import { type Workspace, workspaceOf } from "../workspace/index.ts";
import type { OperationDescriptions } from "./describe-operation.ts";
import { isTerminal, type Operation } from "./operation.ts";
import { operationNotFound } from "./operation-errors.ts";
import type { OperationRunner } from "./operation-runner.ts";
import type { OperationStore } from "./operation-store.ts";
import { streamingLogFrom } from "./streaming-log.ts";

/**
 * The genuine client sleeps 5 s after each answer. So an answer is held back: long enough that most operations end within it,
 * short enough that a person who watches the log sees it move, and far below the client's read timeout of 80 s.
 */
const HOLD_WITH_NEWS_MS = 8_000;
const HOLD_MS = 20_000;
const LIST_LIMIT = 100;

export interface OperationRoutesDependencies {
  readonly store: OperationStore;
  readonly runner: Pick<OperationRunner, "watch" | "cancel">;
  readonly descriptions: OperationDescriptions;
  /** for tests; the numbers above otherwise */
  readonly hold?: { readonly withNewsMs: number; readonly ms: number };
}

/** Inside a workspace scope of model management: `GET operations/{id}` (wire contract, section 8), and for our own clients list and cancel. */
export function operationRoutes(app: HttpApp, dependencies: OperationRoutesDependencies): void {
  const { store, runner, descriptions } = dependencies;
  const hold = dependencies.hold ?? { withNewsMs: HOLD_WITH_NEWS_MS, ms: HOLD_MS };

  app.get(
    "/operations/:operationId",
    { schema: { params: OperationPath, querystring: OperationQuery, response: { 200: WireOperation } } },
    async (request) => {
      const workspace = workspaceOf(request);
      const { operationId } = request.params;
      const { offset, live } = request.query;
      const gone = new AbortController();
      const onClose = () => gone.abort();
      request.raw.socket.once("close", onClose);
      try {
        const operation = await find(workspace, operationId);
        const readsBefore = await store.countRead(operationId);
        const description = await describe(operation, workspace);
        if (readsBefore === 0 && description.answerFirstReadAtOnce) return await toWire(operation, workspace, offset);
        const withNewsMs = live === true ? 0 : hold.withNewsMs;
        const read = offset ?? (description.streamsLog ? 0 : undefined);
        return await toWire(await settled(workspace, operation, read, withNewsMs, gone.signal), workspace, offset);
      } finally {
        request.raw.socket.off("close", onClose);
      }
    },
  );

  app.get("/operations", { schema: { response: { 200: WireOperationList } } }, async (request) => {
    const workspace = workspaceOf(request);
    const operations = await store.list(workspace.id, LIST_LIMIT);
    // A list is an overview: none of them brings its log.
    const offset = Number.POSITIVE_INFINITY;
    return { value: await Promise.all(operations.map((operation) => toWire(operation, workspace, offset))) };
  });

  app.post("/operations/:operationId/cancel", { schema: { params: OperationPath } }, async (request, reply) => {
    const operation = await find(workspaceOf(request), request.params.operationId);
    await runner.cancel(operation.id);
    return reply.code(202).send({});
  });

  async function find(workspace: Workspace, id: string): Promise<Operation> {
    const operation = await store.find(workspace.id, id);
    if (operation === undefined) throw operationNotFound(id);
    return operation;
  }

  async function describe(operation: Operation, workspace: Workspace) {
    const description = descriptions[operation.kind];
    if (description === undefined) throw new Error(`Nobody describes operations of kind ${operation.kind}.`);
    return description(operation, workspace);
  }

  /** Resolves with the operation when there is reason to answer. */
  async function settled(
    workspace: Workspace,
    first: Operation,
    offset: number | undefined,
    withNewsMs: number,
    signal: AbortSignal,
  ): Promise<Operation> {
    using watch = runner.watch(first.id);
    const begin = performance.now();
    for (;;) {
      const operation = await find(workspace, first.id);
      const passed = performance.now() - begin;
      if (isTerminal(operation.status) || signal.aborted || passed >= hold.ms) return operation;
      const news = offset !== undefined && streamingLogFrom(await store.log(first.id), offset).length > 0;
      if (news && passed >= withNewsMs) return operation;
      await watch.next((news ? withNewsMs : hold.ms) - passed, signal);
    }
  }

  async function toWire(operation: Operation, workspace: Workspace, offset: number | undefined) {
    const { operationType, resourceLocation, operationLog, subOperationType } = await describe(operation, workspace);
    return {
      id: operation.id,
      operationType,
      state: operation.status,
      createdTime: operation.createdAt,
      endTime: operation.endedAt,
      resourceLocation,
      ...(operationLog === undefined ? {} : { operationLog }),
      parentRequestId: operation.id,
      operationDetails: {
        operationId: null,
        subOperationType: subOperationType ?? operationType,
        subOperationState: operation.status,
      },
      streamingOperationLog: streamingLogFrom(await store.log(operation.id), offset ?? 0),
      error: operation.error && { ...operation.error, details: [...operation.error.details] },
    };
  }
}
