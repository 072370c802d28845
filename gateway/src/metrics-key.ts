import { randomBytes } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What a Prometheus on another machine sends as its bearer token (`credentials_file`); made at the first start. */
export async function metricsKey(folder: string): Promise<string> {
  const file = join(folder, "metrics.key");
  const made = `${file}.${process.pid}.new`;
  await writeFile(made, randomBytes(32).toString("base64url"), { mode: 0o600 });
  try {
    // Unlike a rename, a link leaves a key that is there already as it is.
    await link(made, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(made, { force: true });
  }
  return (await readFile(file, "utf8")).trim();
}
