import { DURATION_BOUNDS, type DurationHistogram } from "./duration-histogram.ts";
import type { MetricFamily, MetricLabels, MetricSample } from "./prometheus-text.ts";

/** How a request ended: its HTTP status, `canceled` (its caller went away) or `broken` (a stream without its end). */
export type RequestOutcome = number | "canceled" | "broken";

export interface RequestCounts {
  readonly durations: DurationHistogram;
  readonly outcomes: ReadonlyMap<RequestOutcome, number>;
}

/** The families of requests, the same at the gateway and at a scorer that stands alone. */
export function requestFamilies(
  counted: readonly { readonly labels: MetricLabels; readonly counts: RequestCounts }[],
): MetricFamily[] {
  return [
    {
      name: "slipway_requests_total",
      type: "counter",
      help: "Requests that found their service and were let in, by the status they ended with.",
      samples: counted.flatMap(({ labels, counts }) =>
        [...counts.outcomes].map(([status, value]) => ({ labels: { ...labels, status }, value })),
      ),
    },
    {
      name: "slipway_request_duration_seconds",
      type: "histogram",
      help: "From the head of a request to the end of its answer: queue and scorer included.",
      samples: counted.flatMap(({ labels, counts }) => durationSamples(counts, labels)),
    },
  ];
}

function durationSamples({ durations }: RequestCounts, labels: MetricLabels): MetricSample[] {
  const counts = durations.cumulative();
  return [
    ...counts.map((value, index) => ({
      suffix: "_bucket",
      labels: { ...labels, le: DURATION_BOUNDS[index] ?? "+Inf" },
      value,
    })),
    { suffix: "_sum", labels, value: durations.sum },
    { suffix: "_count", labels, value: counts.at(-1) ?? 0 },
  ];
}
