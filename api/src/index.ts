export * from "./frames.ts";
export * from "./route-snapshot.ts";
export * from "./scorer-config.ts";
export * from "./wire-error.ts";
