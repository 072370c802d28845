import type { DatasetReference, ResourceRequirements } from "./model.ts";
import { modelFieldInvalid } from "./model-errors.ts";

const MAX_LABELS = 1_000;
const MAX_KEY_CHARACTERS = 256;
const MAX_TEXT_CHARACTERS = 100_000;
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;

/** Tags or properties of a request: numbers and truth values become text, as v1 kept them. @throws {AppError} ModelFieldInvalid */
export function toLabels(
  field: string,
  labels: Readonly<Record<string, string | number | boolean>> | null | undefined,
): Record<string, string> {
  const entries = Object.entries(labels ?? {}).map(([key, value]): [string, string] => [key, String(value)]);
  if (entries.length > MAX_LABELS) throw modelFieldInvalid(field, `at most ${MAX_LABELS} entries`);
  for (const [key, value] of entries) {
    if (key === "" || key.length > MAX_KEY_CHARACTERS || CONTROL_CHARACTER.test(key))
      throw modelFieldInvalid(`${field}.${key}`, `a key of 1 to ${MAX_KEY_CHARACTERS} printable characters`);
    toText(`${field}.${key}`, value);
  }
  return Object.fromEntries(entries);
}

/** @throws {AppError} ModelFieldInvalid */
export function toText(field: string, text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  if (text.length > MAX_TEXT_CHARACTERS)
    throw modelFieldInvalid(field, `at most ${MAX_TEXT_CHARACTERS} characters (it has ${text.length})`);
  return text;
}

/** The genuine client reads text only, so JSON is kept as its text. @throws {AppError} ModelFieldInvalid */
export function toSample(field: string, sample: unknown): string | null {
  if (sample === null || sample === undefined) return null;
  return toText(field, typeof sample === "string" ? sample : JSON.stringify(sample));
}

export function toResources(resources: Partial<ResourceRequirements> | null | undefined): ResourceRequirements | null {
  if (resources === null || resources === undefined) return null;
  const { cpu = null, memoryInGB = null, gpu = null } = resources;
  return { cpu, memoryInGB, gpu };
}

/** Each reference once. */
export function toDatasets(references: readonly DatasetReference[] | null | undefined): DatasetReference[] {
  const byKey = new Map((references ?? []).map(({ name, id }) => [JSON.stringify([name, id]), { name, id }]));
  return [...byKey.values()];
}
