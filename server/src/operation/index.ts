export { defineOperation, need, type OperationDefinition, type Step, type StepContext } from "./define-operation.ts";
export type { DescribeOperation, OperationDescription, OperationDescriptions } from "./describe-operation.ts";
export { isTerminal, type Operation, type OperationError, type OperationStatus } from "./operation.ts";
export { operationCancelled } from "./operation-errors.ts";
export type { NewsWatch } from "./operation-news.ts";
export { type OperationRoutesDependencies, operationRoutes } from "./operation-routes.ts";
export { createOperationRunner, type OperationRunner } from "./operation-runner.ts";
export { createOperationStore, type LogEntry, type OperationStore } from "./operation-store.ts";
export { type OperationTables, operationMigration } from "./operation-tables.ts";
