import { ELEMENT_TYPES, type ElementRules } from "../../tensor/element-types.ts";
import { elementCount, isFixed, type Tensor, type TensorSchema } from "../../tensor/tensor.ts";
import type { ModelSession } from "./model-session.ts";
import { joinRows, splitRows } from "./tensor-rows.ts";

/** What the runs before the first request have shown of a model. */
export interface ModelCosts {
  /** milliseconds of a run with one row; undefined when the model does not run with made-up input */
  readonly singleMs: number | undefined;
  /** rows in one run from which more would not be cheaper, or would keep the first one waiting; 1: requests run one by one */
  readonly maxRows: number;
  /** milliseconds that each further run costs beside its rows: what putting two together saves */
  readonly fixedMs: number;
}

/** A caller may have to wait for a run this long because of the other rows in it. */
export const BATCH_RUN_MS = 25;
const MAX_ROWS = 64;
/** Putting requests together must make a row cheaper by this much, all in all and in the last doubling. */
const WORTH_WHILE = 0.8;
const WORTH_DOUBLING = 0.95;
/** Short runs take ten times as long until V8 has compiled what is around them, and a busy machine interrupts most of a few. */
const WARM: Runs = { least: 1, most: 200, ms: 50 };
const MEASURED: Runs = { least: 3, most: 20, ms: 10 };
const SHORT_RUN_MS = 1;
/** A model may differ in the last digits when it computes several rows at once, but not more. */
const TOLERANCE = 1e-4;

type Now = () => number;

/** So many runs at least, and more up to the most as long as all take no longer than `ms` together. */
interface Runs {
  readonly least: number;
  readonly most: number;
  readonly ms: number;
}

/**
 * Runs a model with zeros until it is warm, and finds out whether its requests can be put together: the first dimension of all its
 * inputs and outputs must be free, rows must not depend on each other, and it must pay.
 *
 * @param now milliseconds of the clock that runs are measured by
 */
export async function warmUp(model: ModelSession, now: Now = () => performance.now()): Promise<ModelCosts> {
  const single = inputsOf(model, 1, () => 0);
  let singleMs: number;
  try {
    await measure(model, single, now, WARM);
    singleMs = await measure(model, single, now);
  } catch {
    // Zeros of these shapes need not be input that it understands. Its first request will tell.
    return { singleMs: undefined, maxRows: 1, fixedMs: 0 };
  }
  const alone: ModelCosts = { singleMs, maxRows: 1, fixedMs: 0 };
  try {
    return singleMs < BATCH_RUN_MS && hasFreeRows(model) && (await rowsAreIndependent(model))
      ? await measureBatches(model, singleMs, now)
      : alone;
  } catch {
    return alone;
  }
}

async function measureBatches(model: ModelSession, singleMs: number, now: Now): Promise<ModelCosts> {
  let best = { rows: 1, ms: singleMs };
  for (let rows = 2; rows <= MAX_ROWS; rows *= 2) {
    const ms = await measure(
      model,
      inputsOf(model, rows, () => 0),
      now,
    );
    if (ms > BATCH_RUN_MS) break;
    if (ms / rows <= (best.ms / best.rows) * WORTH_DOUBLING) best = { rows, ms };
    // What seems not to pay with a short run may be a disturbance; with a long one, more of them would hold up the start.
    else if (ms > SHORT_RUN_MS) break;
  }
  if (best.ms / best.rows > singleMs * WORTH_WHILE) return { singleMs, maxRows: 1, fixedMs: 0 };
  const fixedMs = (best.rows * singleMs - best.ms) / (best.rows - 1);
  return { singleMs, maxRows: best.rows, fixedMs };
}

/** The lower quartile: what disturbed other runs is not the model's cost, nor is what a lucky one saved. */
async function measure(
  model: ModelSession,
  inputs: readonly Tensor[],
  now: Now,
  runs: Runs = MEASURED,
): Promise<number> {
  const timesMs: number[] = [];
  let totalMs = 0;
  while (timesMs.length < runs.least || (totalMs < runs.ms && timesMs.length < runs.most)) {
    const began = now();
    await model.run(inputs);
    const ms = now() - began;
    timesMs.push(ms);
    totalMs += ms;
    if (ms > BATCH_RUN_MS) break;
  }
  return timesMs.sort((a, b) => a - b)[Math.floor(timesMs.length / 4)] ?? 0;
}

function hasFreeRows({ schema }: ModelSession): boolean {
  const tensors = [...schema.inputs, ...schema.outputs];
  return schema.inputs.length > 0 && tensors.every(({ shape }) => shape[0] !== undefined && !isFixed(shape[0]));
}

/**
 * A model may compare the rows with each other (a softmax over all of them, a scale taken from all values): then requests that were
 * run together would change each other's answers.
 */
async function rowsAreIndependent(model: ModelSession): Promise<boolean> {
  const random = numbersBetween0And1();
  const requests = [1, 2, 1].map((rows) => inputsOf(model, rows, random));
  const apart: (readonly Tensor[])[] = [];
  for (const inputs of requests) apart.push(await model.run(inputs));
  const together = splitRows(await model.run(joinRows(requests)), [1, 2, 1]);
  return together?.every((outputs, request) => outputs.every((one, at) => isClose(one, apart[request]?.[at]))) ?? false;
}

function isClose(one: Tensor, other: Tensor | undefined): boolean {
  if (other === undefined || one.dims.join() !== other.dims.join()) return false;
  const { value }: ElementRules = ELEMENT_TYPES[one.type];
  for (let index = 0; index < one.data.length; index += 1) {
    const [a, b] = [value(one.data[index]), value(other.data[index])];
    if (a === b || Object.is(a, b)) continue;
    if (typeof a !== "number" || typeof b !== "number") return false;
    if (!(Math.abs(a - b) <= TOLERANCE * Math.max(1e-3, Math.abs(a), Math.abs(b)))) return false;
  }
  return true;
}

function inputsOf({ schema }: ModelSession, rows: number, element: () => number): Tensor[] {
  return schema.inputs.map((input) => madeUp(input, rows, element));
}

/** Free dimensions but the first are 1. Whole numbers may be indices: they are 0, or 0 and 1. */
function madeUp({ name, type, shape }: TensorSchema, rows: number, element: () => number): Tensor {
  const dims = shape.map((size, axis) => (isFixed(size) ? size : axis === 0 ? rows : 1));
  const rules: ElementRules = ELEMENT_TYPES[type];
  const data = rules.allocate(elementCount(dims));
  if (!Array.isArray(data)) {
    for (let index = 0; index < data.length; index += 1) {
      const value = rules.json === "number" ? element() : Math.round(element());
      (data as { [index: number]: unknown })[index] = rules.element(value);
    }
  }
  return { name, type, dims, data };
}

/** The same ones in each start: a model's batching must not depend on luck. */
function numbersBetween0And1(): () => number {
  let state = 1;
  return () => {
    // The minimal standard generator of Park and Miller.
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
