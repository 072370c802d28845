import { basename, extname } from "node:path";
import { CONTENT_PROPERTY, contentDigest, type FileSource, type Model } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import { filesAt } from "../files/file-on-disk.ts";
import { inlineOrFile } from "../options.ts";
import type { Session } from "../session.ts";
import { byteSize } from "../terminal/format.ts";
import { checkModelName } from "./check-names.ts";

export interface ModelToRegister {
  /** file or folder */
  readonly path: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  readonly framework?: string | undefined;
  readonly frameworkVersion?: string | undefined;
  /** JSON, or `@FILE` */
  readonly sampleInput?: string | undefined;
}

type Registering = Pick<Session, "client" | "progress" | "signal">;

/** @returns the new version, and how many bytes its files have */
export async function registerModel(
  session: Registering,
  model: ModelToRegister,
): Promise<{ model: Model; bytes: number }> {
  return register(session, await readModel(model));
}

/**
 * Reads and checks what is on this side; the function that it gives does the rest.
 *
 * @returns the newest version if it has exactly these files and this sample input, otherwise a new one
 */
export async function prepareModel(session: Registering, model: ModelToRegister): Promise<() => Promise<Model>> {
  const read = await readModel(model);
  return async () => (await knownModel(session, read)) ?? (await register(session, read)).model;
}

async function knownModel({ client, signal }: Registering, model: ReadModel): Promise<Model | undefined> {
  const latest = await client.models.latest(model.name, signal);
  const content = latest?.properties[CONTENT_PROPERTY];
  if (latest === undefined || content === undefined || content !== (await digestOf(model.files))) return undefined;
  return model.sample === undefined || hasSample(latest, model.sample) ? latest : undefined;
}

/**
 * `NAME:VERSION`, or `NAME` for the newest.
 *
 * @param orFile it could have been a path just as well, but there is none
 * @throws {CliError|SlipwayError} ModelNotFound
 */
export async function findModel(
  session: Pick<Session, "client" | "signal">,
  text: string,
  { orFile = false } = {},
): Promise<Model> {
  if (text.includes(":")) return session.client.models.get(text, { signal: session.signal });
  const model = await session.client.models.latest(text, session.signal);
  if (model !== undefined) return model;
  throw new CliError(
    "ModelNotFound",
    "refused",
    orFile
      ? `${text} is neither a file or folder here nor a model of this workspace. \`slipway model list\` shows those.`
      : `There is no model named ${text} in this workspace. \`slipway model list\` shows all.`,
  );
}

/** Letters, digits, `-`, `.` and `_`, as model names are; what else a file name has becomes `-`. */
export function modelNameFor(path: string): string {
  const name = basename(path, extname(path));
  return name.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 255) || "model";
}

interface ReadModel extends ModelToRegister {
  readonly name: string;
  readonly files: readonly FileSource[];
  /** JSON */
  readonly sample: string | undefined;
}

async function readModel(model: ModelToRegister): Promise<ReadModel> {
  const name = model.name ?? modelNameFor(model.path);
  checkModelName(name);
  return { ...model, name, files: await filesAt(model.path), sample: await readSample(model.sampleInput) };
}

/** The server keeps a long one as a file, which is not read again to compare. */
function hasSample({ sampleInputData }: Model, sample: string): boolean {
  return sampleInputData !== null && (sampleInputData === sample || sampleInputData.startsWith("aml://"));
}

async function register(session: Registering, model: ReadModel) {
  const { client, progress, signal } = session;
  const { name, files } = model;
  const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const registered = await progress.step(`Register ${name} (${byteSize(bytes)})`, async (step) =>
    client.models.register(
      {
        name,
        files,
        description: model.description,
        tags: model.tags,
        properties: model.properties,
        framework: model.framework ?? (model.path.endsWith(".onnx") ? "Onnx" : undefined),
        frameworkVersion: model.frameworkVersion,
        sampleInput: model.sample,
      },
      {
        signal,
        onUpload: ({ sentBytes, totalBytes, reusedBytes }) =>
          step.now(`${byteSize(sentBytes + reusedBytes)} of ${byteSize(totalBytes)}`),
      },
    ),
  );
  return { model: registered, bytes };
}

async function digestOf(files: readonly FileSource[]): Promise<string | undefined> {
  const digested = [];
  for (const file of files) digested.push({ path: file.path, sha256: await file.sha256?.() });
  return contentDigest(digested);
}

/** @throws {CliError} InvalidSample */
export async function readSample(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const json = await inlineOrFile(text);
  try {
    JSON.parse(json);
    return json.trim();
  } catch (error) {
    throw new CliError("InvalidSample", "usage", `The sample input is not JSON: ${(error as Error).message}.`, error);
  }
}
