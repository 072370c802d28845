import { InputError } from "../tensor/tensor.ts";

/**
 * Comma-separated values as RFC 4180 has them, without a header line: one list for each line. What looks like a JSON number is one;
 * everything else, and whatever stands in quotes, is a text.
 *
 * @throws {InputError}
 */
export function readCsv(payload: Uint8Array): (number | string)[][] {
  const text = decode(payload);
  const rows: (number | string)[][] = [];
  let row: (number | string)[] = [];
  // One field and what ends it. Sticky: each begins where the last one ended.
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) {
      const line = rows.length + 1;
      throw new InputError("BodyNotCsv", `Line ${line} of the CSV has a quote that is out of place (character ${at}).`);
    }
    const [, quoted, plain = "", end] = match;
    row.push(quoted === undefined ? numberOrText(plain) : quoted.replaceAll('""', '"'));
    if (end === ",") {
      if (field.lastIndex === text.length) row.push("");
      else continue;
    }
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  const uneven = rows.findIndex(({ length }) => length !== rows[0]?.length);
  if (uneven >= 0) {
    throw new InputError(
      "BodyNotCsv",
      `Line ${uneven + 1} of the CSV has ${rows[uneven]?.length} values; the first has ${rows[0]?.length}.`,
    );
  }
  if (rows.length === 0) throw new InputError("BodyNotCsv", "The CSV has no line.");
  return rows;
}

/** One line for each row; a list of plain values is one column. */
export function writeCsv(rows: readonly unknown[]): string {
  return rows.map((row) => `${(Array.isArray(row) ? row : [row]).map(csvField).join(",")}\n`).join("");
}

/** Whether a value is one that {@link writeCsv} can say: a list of plain values, or of lists of them. */
export function isTable(value: unknown): value is readonly unknown[] {
  const isPlain = (one: unknown) => one === null || typeof one !== "object";
  return Array.isArray(value) && value.every((row) => isPlain(row) || (Array.isArray(row) && row.every(isPlain)));
}

function csvField(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const NUMBER = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/;

function numberOrText(text: string): number | string {
  return NUMBER.test(text) ? Number(text) : text;
}

function decode(payload: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    throw new InputError("BodyNotCsv", "The request body is not UTF-8 text.");
  }
}
