import type { Context, Line } from "../benchmark.ts";

/** One contender in one round, by the title of the metric. */
export interface Measured {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

/** Runs the rounds one after the other. Within a round the contenders alternate: A B A B, never A A B B. */
export async function collectRounds(
  context: Pick<Context, "say">,
  rounds: number,
  measure: (round: number) => AsyncIterable<Measured>,
): Promise<Line[]> {
  const lines = new Map<string, Record<string, number[]>>();
  for (let round = 1; round <= rounds; round += 1) {
    for await (const { name, values } of measure(round)) {
      const line = lines.get(name) ?? {};
      lines.set(name, line);
      for (const [title, value] of Object.entries(values)) line[title] = [...(line[title] ?? []), value];
      const figures = Object.entries(values).map(([title, value]) => `${title} ${+value.toFixed(2)}`);
      context.say(`round ${round}/${rounds}  ${name}: ${figures.join(", ")}`);
    }
  }
  return [...lines].map(([name, values]) => ({ name, values }));
}
