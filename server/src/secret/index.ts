export { createSecretBox, loadKeyFile, type SecretBox } from "./secret-box.ts";
export { createSecretStore, type SecretStore } from "./secret-store.ts";
export { type SecretTables, secretMigration } from "./secret-tables.ts";
