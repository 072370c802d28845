export { accessRoutes } from "./access-routes.ts";
export { type AccessTables, accessMigration } from "./access-tables.ts";
export { requireToken } from "./authenticate.ts";
export { fingerprint } from "./certificate-authority.ts";
export { type CertificateFiles, createCertificateFiles } from "./certificate-files.ts";
export { type InstallationFacts, installationRoutes } from "./installation-routes.ts";
export { createPrincipalService, type PrincipalService } from "./principal-service.ts";
export { signInRoutes } from "./sign-in-routes.ts";
export { createTokenIssuer, newSigningKey, type TokenIssuer } from "./token-issuer.ts";
