import { isObject } from "../../protocol/json-body.ts";
import { readInferenceJson } from "../../protocol/open-inference-json.ts";
import { ELEMENT_TYPES, type ElementType } from "../../tensor/element-types.ts";
import { dimensionsOf, fromNestedLists } from "../../tensor/nested-lists.ts";
import { InputError, type Tensor } from "../../tensor/tensor.ts";

/** What the script answered: the type and the bytes of its body. */
export interface ScriptAnswer {
  readonly contentType: string;
  readonly payload: Buffer;
}

/** The name of the output of a result that has no names. */
const ONLY_OUTPUT = "output";

/**
 * A script's answer as tensors. An object's members are the outputs, anything else is one. Lists of equal lengths that hold one kind
 * of value are a tensor of that kind; whatever else there is becomes BYTES, one JSON text for each entry of the outermost list.
 */
export function resultTensors(answer: ScriptAnswer): readonly Tensor[] {
  const { contentType, payload } = answer;
  if (!/json|^text\//.test(contentType))
    return [{ name: ONLY_OUTPUT, type: "uint8", dims: [payload.length], data: new Uint8Array(payload) }];
  const { named, fractions } = readResult(answer);
  return (
    ownTensors(named) ?? Object.entries(named).map(([name, value]) => toTensor(name, value, fractions.has(named, name)))
  );
}

/** The JSON value of an answer, under {@link ONLY_OUTPUT} unless it is an object. */
export function resultJson(answer: ScriptAnswer): Record<string, unknown> {
  return readResult(answer).named;
}

interface Result {
  readonly named: Record<string, unknown>;
  readonly fractions: Fractions;
}

/** A script may return `json.dumps(…)`: then the text in the text is meant. */
function readResult({ contentType, payload }: ScriptAnswer): Result {
  const text = payload.toString();
  if (contentType.startsWith("text/")) return { named: { [ONLY_OUTPUT]: text }, fractions: new Fractions() };
  const outer = readJson(contentType.includes("ndjson") ? `[${text.trim().split("\n").join(",")}]` : text);
  const only = outer.named[ONLY_OUTPUT];
  if (typeof only !== "string" || !/^\s*[[{]/.test(only)) return outer;
  try {
    return readJson(only);
  } catch {
    return outer;
  }
}

/** Remembers where the JSON had a fraction, which JavaScript's numbers do not: a list with 2.0 is no INT64. */
class Fractions {
  readonly #keys = new WeakMap<object, Set<string>>();

  add(holder: object, key: string): void {
    this.#keys.set(holder, (this.#keys.get(holder) ?? new Set()).add(key));
  }

  /** whether the value under this key is one, or is a list with one in it */
  has(holder: object, key: string): boolean {
    if (this.#keys.get(holder)?.has(key) === true) return true;
    return this.#within((holder as Record<string, unknown>)[key]);
  }

  #within(value: unknown): boolean {
    return Array.isArray(value) && (this.#keys.has(value) || value.some((inner) => this.#within(inner)));
  }
}

type Reviver = (this: object, key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Python writes NaN and Infinity, which JSON does not have: they become null. */
function readJson(text: string): Result {
  const json = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (found) => (found.startsWith('"') ? found : "null"));
  const fractions = new Fractions();
  const wrapped = `{"${ONLY_OUTPUT}":${json}}`;
  // Only where it matters: this way of reading is several times slower.
  const root = /\d\.0*(?!\d)|\d[eE]/.test(json)
    ? parseWithSource(wrapped, function (key, value, { source }) {
        if (typeof value === "number" && source !== undefined && /[.eE]/.test(source)) fractions.add(this, key);
        return value;
      })
    : JSON.parse(wrapped);
  const named = root as Record<string, unknown>;
  const only = named[ONLY_OUTPUT];
  return { named: isObject(only) ? only : named, fractions };
}

/** A script that knows the protocol may answer `{"outputs": [{"name", "shape", "datatype", "data"}]}`. */
function ownTensors(value: Record<string, unknown>): readonly Tensor[] | undefined {
  const { outputs } = value;
  if (!Array.isArray(outputs) || !outputs.every((one) => isObject(one) && typeof one.datatype === "string"))
    return undefined;
  return readInferenceJson(Buffer.from(JSON.stringify({ inputs: outputs })), undefined).inputs;
}

function toTensor(name: string, value: unknown, hasFraction: boolean): Tensor {
  const list = Array.isArray(value) ? value : [value];
  const type = elementTypeOfAll(list, hasFraction);
  try {
    if (type !== undefined) {
      const dims = dimensionsOf(list);
      return {
        name,
        type,
        dims,
        data: fromNestedLists(name, type, dims, type === "float64" ? withoutNull(list) : list),
      };
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // Rows of different lengths.
  }
  const texts = list.map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
  return { name, type: "string", dims: [texts.length], data: texts };
}

function elementTypeOfAll(list: readonly unknown[], hasFraction: boolean): ElementType | undefined {
  const leaves: unknown[] = list.flat(Number.POSITIVE_INFINITY);
  if (leaves.length === 0) return "float64";
  if (leaves.every((leaf) => typeof leaf === "boolean")) return "bool";
  const numbers = leaves.every((leaf) => typeof leaf === "number" || leaf === null);
  if (numbers && leaves.some((leaf) => leaf !== null)) {
    return leaves.every((leaf) => ELEMENT_TYPES.int64.accepts(leaf)) && !hasFraction ? "int64" : "float64";
  }
  return leaves.every((leaf) => typeof leaf === "string") ? "string" : undefined;
}

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNull);
  return value === null ? Number.NaN : value;
}
