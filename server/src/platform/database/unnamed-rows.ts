import type { Kysely } from "kysely";
import { textCells } from "./text-cells.ts";

/** Rows that are in use only while something else in the database names them. */
export interface NamedRows {
  readonly table: string;
  /** the words that name those which were made before `before`: letters, digits, ".", "_" and "-" only */
  candidates(on: unknown, before: Date): Promise<readonly string[]>;
  remove(on: unknown, words: readonly string[]): Promise<void>;
}

export interface NameSearch {
  /** tables whose texts name nothing */
  readonly except: readonly string[];
  /** texts that name as well */
  readonly texts: readonly string[];
  readonly before: Date;
}

/** Removes those that no text of another table names. @returns how many words had rows */
export async function removeUnnamed<Tables>(
  on: Kysely<Tables>,
  rows: NamedRows,
  { except, texts, before }: NameSearch,
): Promise<number> {
  const unnamed = new Set(await rows.candidates(on, before));
  if (unnamed.size === 0) return 0;
  const hear = (text: string) => {
    for (const word of text.split(/[^\w.-]+/)) unnamed.delete(word);
  };
  for await (const text of textCells(on, "/", { except: [...except, rows.table] })) hear(text);
  for (const text of texts) hear(text);
  await rows.remove(on, [...unnamed]);
  return unnamed.size;
}
