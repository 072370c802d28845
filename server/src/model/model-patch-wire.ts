import { DatasetReferences, LabelsToSet, type ModelPatch, ResourcesToSet, SampleToSet } from "@slipway/api";
import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import { AppError } from "../platform/errors.ts";
import type { ModelEdit } from "./model.ts";
import { modelPatchInvalid } from "./model-errors.ts";
import { toDatasets, toLabels, toResources, toSample, toText } from "./model-fields.ts";

const Text = Type.Union([Type.String(), Type.Null()]);
const Label = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

/**
 * Applies a JSON Patch to what may change of a model (wire contract 6.2). `add` on tags, properties or data sets adds to
 * what is there, since the genuine client sends only the new data sets that way; `replace` puts the value in place of it.
 *
 * @throws {AppError} ModelPatchInvalid naming operation and path
 */
export function applyModelPatch(model: ModelEdit, patch: ModelPatch): ModelEdit {
  let edit = model;
  for (const [index, { op, path, value }] of patch.entries()) {
    const refuse = (reason: string) => modelPatchInvalid(index, op, path, reason);
    if (op !== "add" && op !== "replace" && op !== "remove") throw refuse("only add, replace and remove are known");
    if (op !== "remove" && value === undefined) throw refuse("it has no value");
    const [before, root = "", key, ...rest] = path.split("/").map(unescaped);
    if (before !== "" || rest.length > 0) throw refuse("there is no such path");
    try {
      edit = { ...edit, ...applyOne(edit, { op, root, key, value: op === "remove" ? null : value }) };
    } catch (error) {
      throw error instanceof AppError || error instanceof ValueRefused ? refuse(error.message) : error;
    }
  }
  return edit;
}

interface Operation {
  readonly op: "add" | "replace" | "remove";
  readonly root: string;
  readonly key: string | undefined;
  readonly value: unknown;
}

function applyOne(edit: ModelEdit, operation: Operation): Partial<ModelEdit> {
  const { op, root, key, value } = operation;
  switch (root) {
    case "kvTags":
      return { tags: patchLabels(root, edit.tags, operation) };
    case "properties":
      return { properties: patchLabels(root, edit.properties, operation) };
    case "datasets": {
      if (key !== undefined && !(key === "-" && op === "add")) break;
      const added = toDatasets(checked(DatasetReferences, key === "-" ? [value] : (value ?? [])));
      return { datasets: op === "add" ? toDatasets([...edit.datasets, ...added]) : added };
    }
  }
  if (key !== undefined) throw new ValueRefused("there is no such path");
  switch (root) {
    case "description":
      return { description: toText(root, checked(Text, value)) };
    case "sampleInputData":
    case "sampleOutputData":
      return { [root]: toSample(root, checked(SampleToSet, value)) };
    case "resourceRequirements":
      return { resourceRequirements: toResources(checked(ResourcesToSet, value)) };
    default:
      throw new ValueRefused(
        "only kvTags, properties, description, datasets, sampleInputData, sampleOutputData and resourceRequirements can change",
      );
  }
}

function patchLabels(field: string, labels: Readonly<Record<string, string>>, operation: Operation) {
  const { op, key, value } = operation;
  if (key === undefined) {
    const given = toLabels(field, checked(LabelsToSet, value));
    return op === "add" ? toLabels(field, { ...labels, ...given }) : given;
  }
  if (op === "remove" && !Object.hasOwn(labels, key)) throw new ValueRefused("there is nothing to remove");
  const others = Object.entries(labels).filter(([name]) => name !== key);
  if (op === "remove") return Object.fromEntries(others);
  return toLabels(field, Object.fromEntries([...others, [key, checked(Label, value)]]));
}

/** Why a value or path cannot be used; the caller adds which operation it was. */
class ValueRefused extends Error {}

function checked<Schema extends TSchema>(schema: Schema, value: unknown): Static<Schema> {
  const [problem] = Value.Errors(schema, value);
  if (problem === undefined) return value as Static<Schema>;
  throw new ValueRefused(`its value${problem.instancePath.replaceAll("/", ".")} ${problem.message}`);
}

/** RFC 6901 */
function unescaped(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}
