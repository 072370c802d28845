import type { ComputeType } from "../compute/index.ts";
import type { TargetKind } from "../target/target.ts";
import type { Revision, Service, ServiceState } from "./service.ts";
import { NO_SCALING } from "./service-defaults.ts";
import type { ServiceTables } from "./service-tables.ts";

export function toService(row: ServiceTables["service"]): Service {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    description: row.description,
    tags: JSON.parse(row.tags),
    properties: JSON.parse(row.properties),
    computeType: row.compute_type as ComputeType,
    computeName: row.compute_name,
    state: row.state as ServiceState,
    attemptError: row.attempt_error === null ? null : JSON.parse(row.attempt_error),
    healthError: row.health_error === null ? null : JSON.parse(row.health_error),
    // Rows of older versions have no scaling.
    settings: { scaling: NO_SCALING, ...JSON.parse(row.settings) },
    desired: JSON.parse(row.desired),
    servingRevision: row.serving_revision,
    operationId: row.operation_id,
    wireExtras: JSON.parse(row.wire_extras),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The columns of the given members; members that are left out are left alone. */
export function serviceColumns(
  service: Omit<Service, "id" | "createdAt" | "updatedAt">,
): Omit<ServiceTables["service"], "id" | "created_at" | "updated_at" | "deleted_at">;
export function serviceColumns(service: Partial<Service>): Partial<ServiceTables["service"]>;
export function serviceColumns(service: Partial<Service>): Partial<ServiceTables["service"]> {
  return given({
    workspace_id: service.workspaceId,
    name: service.name,
    description: service.description,
    tags: json(service.tags),
    properties: json(service.properties),
    compute_type: service.computeType,
    compute_name: service.computeName,
    state: service.state,
    attempt_error: json(service.attemptError),
    health_error: json(service.healthError),
    settings: json(service.settings),
    desired: json(service.desired),
    serving_revision: service.servingRevision,
    operation_id: service.operationId,
    wire_extras: json(service.wireExtras),
  });
}

export function toRevision(row: ServiceTables["revision"]): Revision {
  return {
    id: row.id,
    serviceId: row.service_id,
    number: row.number,
    settings: JSON.parse(row.settings),
    target: row.target as TargetKind,
    state: row.state as Revision["state"],
    cause: row.cause === null ? null : JSON.parse(row.cause),
    createdAt: row.created_at,
    removedAt: row.removed_at,
  };
}

type RevisionMembers = Pick<Revision, "settings" | "target" | "state" | "cause" | "removedAt">;
type RevisionColumns = Pick<ServiceTables["revision"], "settings" | "target" | "state" | "cause" | "removed_at">;

export function revisionColumns(revision: RevisionMembers): RevisionColumns;
export function revisionColumns(revision: Partial<RevisionMembers>): Partial<RevisionColumns>;
export function revisionColumns(revision: Partial<RevisionMembers>): Partial<RevisionColumns> {
  return given({
    settings: json(revision.settings),
    target: revision.target,
    state: revision.state,
    cause: json(revision.cause),
    removed_at: revision.removedAt,
  });
}

/** JSON text; null stays null in the column, undefined means "not given". */
function json<T>(value: T): T extends null ? string | null : string {
  return (value === undefined || value === null ? value : JSON.stringify(value)) as never;
}

function given<Columns extends object>(
  columns: Columns,
): { [Key in keyof Columns]?: Exclude<Columns[Key], undefined> } {
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)) as never;
}
