import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { parentPort, workerData } from "node:worker_threads";

/** `./x.ts` after `from`, `import` or `import(` */
const SOURCE_IMPORT = /(\b(?:from|import)\s*\(?\s*"\.{1,2}\/[^"\n]+)\.ts"/g;

// In a thread of its own: it takes a while, and Node warns that the function is new.
const files = workerData as readonly string[];
parentPort?.postMessage(
  files.map((file) => stripTypeScriptTypes(readFileSync(file, "utf8")).replaceAll(SOURCE_IMPORT, '$1.js"')),
);
