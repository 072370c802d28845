import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freePort, hasGenuineClient, repository, startInstallation } from "./harness/installation.ts";
import { startRecordingProxy } from "./harness/recording-proxy.ts";

const golden = join(repository, "e2e/golden/classic-script.json");

/**
 * What the genuine client and Slipway say to each other in the classic script, call by call: which fields, of which types. A field that disappears is noticed here before a user's script stumbles.
 * `SLIPWAY_RECORD=1 npm test -- e2e/src/golden.test.ts` records it anew; read the difference before you commit it.
 */
describe.skipIf(!hasGenuineClient)("the wire", () => {
  test("is as it was recorded from the genuine client", async () => {
    const port = await freePort();
    const slipway = await startInstallation(["--public-url", `https://localhost:${port}`]);
    const proxy = await startRecordingProxy({ port, target: slipway.url, dataFolder: slipway.dataFolder });
    const folder = await mkdtemp(join(tmpdir(), "slipway-golden-"));
    try {
      await cp(join(repository, "examples/diabetes"), folder, { recursive: true });
      for (const args of [[], [], ["--clean"]]) {
        const { code, output } = await slipway.python(join(folder, "deploy.py"), args, { cwd: folder });
        expect(code, output).toBe(0);
      }
      const recorded = `${JSON.stringify(proxy.calls(), undefined, 1)}\n`;
      if (process.env.SLIPWAY_RECORD === "1") await writeFile(golden, recorded);
      expect(JSON.parse(recorded)).toEqual(JSON.parse(await readFile(golden, "utf8")));
    } finally {
      await proxy.close();
      await slipway.dispose();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
