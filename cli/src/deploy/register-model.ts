import { basename, extname } from "node:path";
import { CONTENT_PROPERTY, contentDigest, type FileSource, type Model } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import { filesAt } from "../files/file-on-disk.ts";
import { inlineOrFile } from "../options.ts";
import type { Session } from "../session.ts";
import { byteSize } from "../terminal/format.ts";

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
  return register(session, model, await filesAt(model.path));
}

/** The newest version if it has exactly these files, otherwise a new one. */
export async function registerModelIfNew(session: Registering, model: ModelToRegister): Promise<Model> {
  const files = await filesAt(model.path);
  const latest = await session.client.models.latest(nameOf(model), session.signal);
  const known = latest?.properties[CONTENT_PROPERTY];
  if (latest !== undefined && known !== undefined && known === (await digestOf(files))) return latest;
  return (await register(session, model, files)).model;
}

/** `NAME:VERSION`, or `NAME` for the newest. @throws {CliError|SlipwayError} ModelNotFound */
export async function findModel(session: Pick<Session, "client" | "signal">, text: string): Promise<Model> {
  if (text.includes(":")) return session.client.models.get(text, { signal: session.signal });
  const model = await session.client.models.latest(text, session.signal);
  if (model !== undefined) return model;
  throw new CliError(
    "ModelNotFound",
    "refused",
    `There is no model named ${text} in this workspace, and no file of that name here.`,
  );
}

/** Letters, digits, `-`, `.` and `_`, as model names are; what else a file name has becomes `-`. */
export function modelNameFor(path: string): string {
  const name = basename(path, extname(path));
  return name.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 255) || "model";
}

function nameOf(model: ModelToRegister): string {
  return model.name ?? modelNameFor(model.path);
}

async function register(session: Registering, model: ModelToRegister, files: readonly FileSource[]) {
  const { client, progress, signal } = session;
  const name = nameOf(model);
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
        sampleInput: await readSample(model.sampleInput),
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

async function readSample(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const json = await inlineOrFile(text);
  try {
    JSON.parse(json);
    return json.trim();
  } catch (error) {
    throw new CliError("InvalidSample", "usage", `The sample input is not JSON: ${(error as Error).message}.`, error);
  }
}
