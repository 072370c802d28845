import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { importsAzureml } from "../environment/index.ts";
import { codeFiles } from "./app-folder.ts";

/** Larger sources are generated ones. */
const MAX_SOURCE_BYTES = 1024 * 1024;

/** Where the user's code first imports `azureml` ("score.py, line 3"), so that the environment can be given what it needs. */
export async function azuremlImport(appRoot: string): Promise<string | undefined> {
  for (const path of (await codeFiles(appRoot)).filter((file) => file.endsWith(".py"))) {
    if ((await stat(join(appRoot, path))).size > MAX_SOURCE_BYTES) continue;
    const line = importsAzureml(await readFile(join(appRoot, path), "utf8"));
    if (line !== undefined) return `${path}, line ${line}`;
  }
  return undefined;
}
