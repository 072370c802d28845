import type { Cause } from "@slipway/api";
import { GRPC_OK } from "../../protocol/answer-form.ts";
import { isTable, readCsv, writeCsv } from "../../protocol/csv.ts";
import { isObject, parseJson } from "../../protocol/json-body.ts";
import { chosenOutputs, type InferenceRequest } from "../../protocol/open-inference.ts";
import { readInferenceJson, writeInferenceJson } from "../../protocol/open-inference-json.ts";
import { readInferenceMessage, writeInferenceMessage } from "../../protocol/open-inference-protobuf.ts";
import { modelMissing, modelNotFound } from "../../scorer-errors.ts";
import { toNestedLists } from "../../tensor/nested-lists.ts";
import { checkInputs, InputError, type Tensor } from "../../tensor/tensor.ts";
import { readInputs, tensorOfRows } from "./model-input.ts";
import type { ModelSession } from "./model-session.ts";
import type { OnnxAnswer, OnnxJob, RunCount } from "./onnx-message.ts";
import { joinRows, rowsOf, signatureOf, splitRows } from "./tensor-rows.ts";

/** A model as {@link answerJobs} needs it. */
export interface RunnableModel {
  readonly session: ModelSession;
  /** 1: requests run one by one */
  readonly maxRows: number;
}

type Body = Pick<OnnxAnswer, "headers" | "body">;

/** A request whose input is read and checked. */
interface Prepared {
  readonly job: OnnxJob;
  readonly model: RunnableModel;
  readonly inputs: readonly Tensor[];
  write(outputs: readonly Tensor[]): Body;
}

/** Answers all jobs; those that fit together share a run. Never throws. */
export async function answerJobs(
  models: ReadonlyMap<string, RunnableModel>,
  version: string,
  jobs: readonly OnnxJob[],
): Promise<{ readonly answers: readonly OnnxAnswer[]; readonly counted: RunCount }> {
  const answers: OnnxAnswer[] = [];
  const prepared: Prepared[] = [];
  for (const job of jobs) {
    try {
      prepared.push(prepare(models, version, job));
    } catch (error) {
      answers.push(failure(job, error));
    }
  }
  let runs = 0;
  for (const group of grouped(prepared)) {
    const together = group.length > 1 ? await runTogether(group) : undefined;
    if (together !== undefined) runs += 1;
    for (const [index, one] of group.entries()) {
      try {
        let outputs = together?.[index];
        if (outputs === undefined) {
          runs += 1;
          outputs = await one.model.session.run(one.inputs);
        }
        answers.push({ id: one.job.id, status: 200, ...one.write(outputs) });
      } catch (error) {
        answers.push(failure(one.job, error, one.model.session.schema.name));
      }
    }
  }
  return { answers, counted: { runs, requests: prepared.length } };
}

/** @throws {InputError} or a {@link Refusal} */
function prepare(models: ReadonlyMap<string, RunnableModel>, version: string, job: OnnxJob): Prepared {
  switch (job.form) {
    case "score":
    case "invocations": {
      const csv = job.form === "invocations" && job.contentType?.startsWith("text/csv") === true;
      const model = chosenModel(models, job.model ?? (csv || models.size === 1 ? undefined : modelInBody(job.payload)));
      const { schema } = model.session;
      const inputs = csv ? tensorOfRows(schema, readCsv(job.payload)) : readInputs(schema, job.payload);
      const wantsCsv = job.form === "invocations" && job.accept?.startsWith("text/csv") === true;
      return { job, model, inputs, write: wantsCsv ? writeTable : writeByName };
    }
    case "rest": {
      const request = readInferenceJson(job.payload, job.jsonLength);
      return openInference(models, version, job, request, (answer) => writeInferenceJson(request, answer));
    }
    case "grpc": {
      const request = readInferenceMessage(job.payload);
      return openInference(models, version, job, request, (answer) => ({
        headers: GRPC_OK,
        body: writeInferenceMessage(answer),
      }));
    }
  }
}

function openInference(
  models: ReadonlyMap<string, RunnableModel>,
  version: string,
  job: OnnxJob,
  request: InferenceRequest,
  write: (answer: Parameters<typeof writeInferenceJson>[1]) => Body,
): Prepared {
  const model = chosenModel(models, job.model);
  const { schema } = model.session;
  // Asked for before the run: a name that is wrong costs nothing then.
  for (const { name } of request.outputs ?? []) {
    if (!schema.outputs.some((output) => output.name === name))
      chosenOutputs(
        request,
        schema.outputs.map((output) => ({ ...output, dims: [], data: [] })),
      );
  }
  const inputs = checkInputs(schema.inputs, request.inputs);
  const { id } = request;
  return {
    job,
    model,
    inputs,
    write: (outputs) =>
      write({ model: schema.name, version, outputs: chosenOutputs(request, outputs), ...(id !== undefined && { id }) }),
  };
}

function chosenModel(models: ReadonlyMap<string, RunnableModel>, name: string | undefined): RunnableModel {
  const names = [...models.keys()];
  const only = models.size === 1 ? names[0] : undefined;
  const wanted = name ?? only;
  if (wanted === undefined) throw new Refusal(400, modelMissing(names));
  const model = models.get(wanted);
  if (model === undefined) throw new Refusal(404, modelNotFound({ model: wanted }, names));
  return model;
}

function modelInBody(payload: Uint8Array): string | undefined {
  const body = parseJson(payload);
  return isObject(body) && typeof body.model === "string" ? body.model : undefined;
}

class Refusal extends Error {
  readonly status: number;
  readonly reason: Cause;

  constructor(status: number, reason: Cause) {
    super(reason.message);
    this.status = status;
    this.reason = reason;
  }
}

function failure({ id }: OnnxJob, error: unknown, model = ""): OnnxAnswer {
  const words = (error instanceof Error ? error.message : String(error)).trim();
  if (error instanceof Refusal) return jsonAnswer(id, error.status, { error: error.reason });
  if (error instanceof InputError) return jsonAnswer(id, 400, { error: { code: error.code, message: words } });
  return jsonAnswer(id, 424, { error: { code: "RunFailed", message: `The model ${model} failed: ${words}` } });
}

const JSON_HEADERS: Readonly<Record<string, string>> = { "content-type": "application/json" };

function jsonAnswer(id: number, status: number, value: unknown): OnnxAnswer {
  return { id, status, headers: JSON_HEADERS, body: Buffer.from(JSON.stringify(value)) };
}

function writeByName(outputs: readonly Tensor[]): Body {
  const values = Object.fromEntries(outputs.map((output) => [output.name, toNestedLists(output)]));
  return { headers: JSON_HEADERS, body: Buffer.from(JSON.stringify(values)) };
}

/** The outputs' columns side by side. */
function writeTable(outputs: readonly Tensor[]): Body {
  const columns = outputs.map((output) => ({ name: output.name, rows: toNestedLists(output) }));
  const rows = rowsOf(outputs);
  for (const { name, rows: values } of columns) {
    if (rows === undefined || !isTable(values))
      throw new InputError("AnswerNotCsv", `The output ${name} is no table; ask for application/json.`);
  }
  const lines = Array.from({ length: rows ?? 0 }, (_, row) =>
    columns.flatMap((column) => (column.rows as readonly unknown[])[row]),
  );
  return { headers: { "content-type": "text/csv" }, body: Buffer.from(writeCsv(lines)) };
}

/** Requests in their order, those with the same model and signature together, as many as the model's rows allow. */
function grouped(prepared: readonly Prepared[]): readonly (readonly Prepared[])[] {
  const groups: Prepared[][] = [];
  const open = new Map<string, { readonly members: Prepared[]; rows: number }>();
  for (const one of prepared) {
    const rows = one.model.maxRows > 1 ? rowsOf(one.inputs) : undefined;
    const key = `${one.model.session.schema.name} ${signatureOf(one.inputs)}`;
    const group = open.get(key);
    if (rows !== undefined && group !== undefined && group.rows + rows <= one.model.maxRows) {
      group.members.push(one);
      group.rows += rows;
      continue;
    }
    const members = [one];
    groups.push(members);
    if (rows !== undefined) open.set(key, { members, rows });
  }
  return groups;
}

/** Undefined when the model does not take them together after all: then each runs by itself and gets its own failure. */
async function runTogether(group: readonly Prepared[]): Promise<readonly (readonly Tensor[])[] | undefined> {
  const session = group[0]?.model.session;
  try {
    const outputs = (await session?.run(joinRows(group.map(({ inputs }) => inputs)))) ?? [];
    return splitRows(
      outputs,
      group.map(({ inputs }) => rowsOf(inputs) ?? 0),
    );
  } catch {
    return undefined;
  }
}
