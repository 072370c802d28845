/** One thing that is measured, in a file of its own. */
export interface Benchmark {
  readonly name: string;
  /** one line: what is compared with what */
  readonly compares: string;
  /** for `--help`: how it is measured, and about how long it takes */
  readonly help: string;
  /** the first one is compared with the base */
  readonly metrics: readonly Metric[];
  /** the line that the others are compared with */
  readonly base?: string;
  run(context: Context): Promise<Outcome>;
}

export interface Metric {
  /** unit included: `seconds`, `p99 ms` */
  readonly title: string;
  readonly decimals: number;
}

export interface Context {
  /** tiny sizes and one round: to see that it works, not how fast it is */
  readonly quick: boolean;
  /** for everything that it makes; removed at the end */
  readonly folder: string;
  /** what it started is registered here, so that nothing outlives it */
  readonly resources: AsyncDisposableStack;
  /** progress, for people */
  say(text: string): void;
}

export interface Outcome {
  readonly lines: readonly Line[];
  /** versions, sizes, counts: what a reader needs to judge the figures */
  readonly facts: Readonly<Record<string, string | number>>;
  /** what could not be measured here, each with its reason */
  readonly missing?: readonly string[];
}

/** One contender with the values of all its rounds, by the title of the metric. */
export interface Line {
  readonly name: string;
  readonly values: Readonly<Record<string, readonly number[]>>;
}
