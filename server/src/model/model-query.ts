import { skipTokenInvalid } from "./model-errors.ts";

export type ModelOrder = "CreatedAtDesc" | "CreatedAtAsc" | "UpdatedAtDesc" | "UpdatedAtAsc";

/** A tag or property that must exist, and have this value if one is given. */
export interface LabelFilter {
  readonly key: string;
  readonly value?: string | undefined;
}

export interface ModelQuery {
  readonly name?: string | undefined;
  readonly tags: readonly LabelFilter[];
  readonly properties: readonly LabelFilter[];
  readonly framework?: string | undefined;
  readonly runId?: string | undefined;
  readonly datasetId?: string | undefined;
  /** only the newest version of each name */
  readonly latestVersionOnly: boolean;
  readonly order: ModelOrder;
  readonly limit: number;
  readonly offset: number;
  readonly after?: ModelPosition | undefined;
}

/** The last model of a page; `time` matters when the order is by change. */
export interface ModelPosition {
  readonly sequence: number;
  readonly time: string;
}

/** `k=v,k2`: all must hold. Only the first "=" separates. */
export function parseLabelFilters(text: string | undefined): LabelFilter[] {
  const items = (text ?? "").split(",").filter((item) => item !== "");
  return items.map((item) => {
    const at = item.indexOf("=");
    return at < 0 ? { key: item } : { key: item.slice(0, at), value: item.slice(at + 1) };
  });
}

export function formatSkipToken(order: ModelOrder, position: ModelPosition): string {
  return Buffer.from(JSON.stringify([order, position.sequence, position.time])).toString("base64url");
}

/** @throws {AppError} SkipTokenInvalid */
export function parseSkipToken(token: string, order: ModelOrder): ModelPosition {
  const [tokenOrder, sequence, time] = readArray(Buffer.from(token, "base64url").toString());
  if (tokenOrder !== order || !Number.isSafeInteger(sequence) || typeof time !== "string") throw skipTokenInvalid();
  return { sequence: Number(sequence), time };
}

function readArray(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
