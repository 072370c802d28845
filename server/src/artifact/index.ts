export type { Artifact, ArtifactReader } from "./artifact.ts";
export { checkArtifactPath, parseArtifactId } from "./artifact-path.ts";
export { artifactRoutes } from "./artifact-routes.ts";
export { type ArtifactService, createArtifactService } from "./artifact-service.ts";
export { type ArtifactTables, artifactMigration } from "./artifact-tables.ts";
export { blobRoutes } from "./blob-routes.ts";
export { unnamedArtifacts } from "./unnamed-artifacts.ts";
export { createUploadAddresses, type UploadAddresses } from "./upload-addresses.ts";
export { openUploads, type UploadService } from "./upload-service.ts";
