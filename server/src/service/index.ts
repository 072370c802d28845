export type { Targets } from "./deployments.ts";
export { describeServiceOperations } from "./describe-service-operation.ts";
export type { ServiceReconciler } from "./reconcile-services.ts";
export type { Revision, RevisionSettings, Service, ServiceSettings, ServiceState } from "./service.ts";
export { createServiceRoom, type ServiceRoomDependencies } from "./service-room.ts";
export { type ServiceRoutesDependencies, serviceRoutes } from "./service-routes.ts";
export { type ServiceService, serviceUsersOfImage } from "./service-service.ts";
export { createServiceStore, type ServiceStore } from "./service-store.ts";
export { type ServiceTables, serviceMigration } from "./service-tables.ts";
