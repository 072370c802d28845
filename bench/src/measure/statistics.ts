/** What several runs of one thing amount to. On a machine with other work on it the spread says more than any one run. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Ratio {
  /** median of the one over median of the other */
  readonly ofMedians: number;
  /** of neighbours in time, so that drift of the machine cancels out */
  readonly pairByPair: Summary;
}

/** @throws {RangeError} for no values */
export function summarize(values: readonly number[]): Summary {
  return { median: percentile(values, 50), min: percentile(values, 0), max: percentile(values, 100) };
}

/** @param base was measured in the same rounds as `values`; rounds that only one of them has are left out of the pairs */
export function ratio(values: readonly number[], base: readonly number[]): Ratio {
  const pairs = values.slice(0, base.length).map((value, round) => value / (base[round] ?? Number.NaN));
  return { ofMedians: summarize(values).median / summarize(base).median, pairByPair: summarize(pairs) };
}

/**
 * The value at `percent` of the way from the smallest to the largest, between two neighbours if need be.
 *
 * @throws {RangeError} for no values
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const at = ((sorted.length - 1) * percent) / 100;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) throw new RangeError("There is nothing to summarize.");
  return below + (above - below) * (at - Math.floor(at));
}
