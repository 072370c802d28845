import type { Deployment } from "./target.ts";

/** What the tests of targets deploy unless they wish for something else. */
export const plainDeployment: Omit<Deployment, "id" | "bundle"> = {
  workspace: "default",
  service: "echo",
  revision: 1,
  replicas: 1,
  cpu: 1,
  memoryBytes: 512 * 1024 * 1024,
  maxConcurrentRequests: 1,
  scoringTimeoutMs: 60_000,
  startTimeoutMs: 30_000,
  maxBodyBytes: 1024 * 1024,
};
