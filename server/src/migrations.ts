import type { Migration } from "kysely";
import { type AccessTables, accessMigration } from "./access/index.ts";
import { type ArtifactTables, artifactMigration } from "./artifact/index.ts";
import {
  type BaseTables,
  baseCredentialsMigration,
  baseMigration,
  type EnvironmentContentsTables,
  environmentContentsMigration,
  type ImageTables,
  imageMigration,
} from "./image/index.ts";
import { type ModelTables, modelMigration } from "./model/index.ts";
import { type OperationTables, operationMigration } from "./operation/index.ts";
import { type RegistryTables, registryMigration, registryPushMigration } from "./registry/index.ts";
import { type SecretTables, secretMigration } from "./secret/index.ts";
import { type ServiceTables, serviceCertificateMigration, serviceMigration } from "./service/index.ts";
import { type WorkspaceTables, workspaceMigration } from "./workspace/index.ts";

/** The whole database: each room brings its tables. */
export type Tables = AccessTables &
  ArtifactTables &
  BaseTables &
  EnvironmentContentsTables &
  ImageTables &
  ModelTables &
  OperationTables &
  RegistryTables &
  SecretTables &
  ServiceTables &
  WorkspaceTables;

/** In the order of their names. A migration that was merged is never edited; a change is a new one. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-secret": secretMigration,
  "0002-access": accessMigration,
  "0003-workspace": workspaceMigration,
  "0004-operation": operationMigration,
  "0005-artifact": artifactMigration,
  "0006-model": modelMigration,
  "0007-registry": registryMigration,
  "0008-image": imageMigration,
  "0009-service": serviceMigration,
  "0010-service-certificate": serviceCertificateMigration,
  "0011-registry-push": registryPushMigration,
  "0012-image-environment": environmentContentsMigration,
  "0013-image-base": baseMigration,
  "0014-image-base-credentials": baseCredentialsMigration,
};
