import { defineConfig } from "vitest/config";

const conditions = ["slipway-source", "node", "import"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};
/** Whoever waits for a condition waits as long as a machine with other work may need; by default it is one second. */
const expectations = { poll: { timeout: 30_000 } };

/** unit: no root, no network, seconds. integration: needs uv, Python or an engine. e2e: the whole product and its genuine clients. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        ...shared,
        test: {
          name: "unit",
          include: ["{api,server,gateway,scoring,client,cli,bench}/src/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: ["**/*.integration.test.ts", "**/node_modules/**", "**/dist/**"],
          testTimeout: 60_000,
          expect: expectations,
        },
      },
      {
        ...shared,
        test: {
          name: "integration",
          include: ["{server,gateway,scoring,cli}/src/**/*.integration.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: expectations,
        },
      },
      {
        ...shared,
        test: {
          name: "e2e",
          include: ["e2e/src/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          expect: expectations,
          fileParallelism: false,
        },
      },
    ],
  },
});
