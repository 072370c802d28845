import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program that the interpreter runs. By its path, so that it works whatever PYTHONPATH says. */
export const workerProgram: string = join(
  dirname(fileURLToPath(import.meta.resolve("@slipway/python/package.json"))),
  "slipway_worker",
  "__main__.py",
);
