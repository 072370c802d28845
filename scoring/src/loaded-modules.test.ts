import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

const PROGRAM = `
  import { registerHooks } from "node:module";
  registerHooks({
    resolve(name, context, next) {
      const found = next(name, context);
      console.log(found.url);
      return found;
    },
  });
  await import("./scorer.ts");
  await import("./config.ts");
  await import("./runtime/python/python-runtime.ts");
  console.log(process.moduleLoadList.join("\\n"));
`;

test("a replica for Python starts without what takes longer to load than all the rest", () => {
  const options = ["--conditions=slipway-source", "--input-type=module", "--eval", PROGRAM];
  const loaded = execFileSync(process.execPath, options, { encoding: "utf8", cwd: import.meta.dirname }).split("\n");
  expect(loaded).toContain("NativeModule _http_server");
  expect(loaded.filter((name) => /\/typebox\/|onnxruntime|deps\/undici/.test(name))).toEqual([]);
});
