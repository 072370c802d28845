import type { MetricFamily, MetricLabels } from "./prometheus-text.ts";
import type { ScorerState } from "./scorer-config.ts";

/** What scorers tell of themselves, as families. */
export function scorerFamilies(
  scorers: readonly { readonly labels: MetricLabels; readonly state: ScorerState }[],
): MetricFamily[] {
  const gauge = (name: string, help: string, value: (state: ScorerState) => number): MetricFamily => ({
    name,
    type: "gauge",
    help,
    samples: scorers.map(({ labels, state }) => ({ labels, value: value(state) })),
  });
  return [
    gauge("slipway_workers", "Workers that are ready.", ({ workers }) => workers.filter(isReady).length),
    gauge("slipway_memory_bytes", "Resident memory of a replica's workers.", ({ workers }) =>
      sum(workers.map(({ memoryBytes }) => memoryBytes)),
    ),
    {
      ...gauge("slipway_worker_restarts_total", "Restarts of workers since their replica began.", ({ workers }) =>
        sum(workers.map(({ restarts }) => restarts)),
      ),
      type: "counter",
    },
    {
      name: "slipway_batch_size",
      type: "summary",
      help: "Requests that one run of an ONNX model answered.",
      samples: scorers.flatMap(({ labels, state: { batches } }) =>
        batches === undefined
          ? []
          : [
              { suffix: "_sum", labels, value: batches.sum },
              { suffix: "_count", labels, value: batches.count },
            ],
      ),
    },
  ];
}

const isReady = ({ phase }: ScorerState["workers"][number]) => phase === "ready";
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
