import { DURATION_BOUNDS } from "./histogram.ts";
import type { Family, Labels, Sample } from "./prometheus-text.ts";
import type { RoutedService } from "./route-table.ts";
import type { RevisionCounts, ServiceMetrics } from "./service-metrics.ts";

/** What the gateway itself knows of its services. */
export function serviceFamilies(services: readonly RoutedService[], unrouted: ServiceMetrics): Family[] {
  const each = (samples: (service: RoutedService, labels: Labels) => readonly Sample[]) =>
    services.flatMap((service) => samples(service, labelsOf(service)));
  const gauge = (value: (service: RoutedService) => number) =>
    each((service, labels) => [{ labels, value: value(service) }]);
  const eachRevision = (samples: (counts: RevisionCounts, labels: Labels) => readonly Sample[]) =>
    each(({ metrics }, labels) =>
      [...metrics.revisions].flatMap(([revision, counts]) => samples(counts, { ...labels, revision })),
    );
  return [
    {
      name: "slipway_requests_total",
      type: "counter",
      help: "Requests that found their service and were let in, by the status they ended with.",
      samples: eachRevision(({ outcomes }, labels) =>
        [...outcomes].map(([status, value]) => ({ labels: { ...labels, status }, value })),
      ),
    },
    {
      name: "slipway_request_duration_seconds",
      type: "histogram",
      help: "From the head of a request to the end of its answer: queue and scorer included.",
      samples: eachRevision(durationSamples),
    },
    {
      name: "slipway_refusals_total",
      type: "counter",
      help: "Requests that the gateway refused, by the code of the refusal; without a service those that found none.",
      samples: [
        ...each(({ metrics }, labels) => refusalSamples(metrics, labels)),
        ...refusalSamples(unrouted, { workspace: "", service: "" }),
      ],
    },
    {
      name: "slipway_requests_queued",
      type: "gauge",
      help: "Requests that wait for a replica.",
      samples: gauge(({ queue }) => queue.depth),
    },
    {
      name: "slipway_requests_in_flight",
      type: "gauge",
      help: "Requests that replicas work on.",
      samples: gauge(({ queue, load }) => load.level - queue.depth),
    },
    {
      name: "slipway_replicas",
      type: "gauge",
      help: "Replicas that get requests.",
      samples: gauge(({ route }) => route.replicas.length),
    },
    {
      name: "slipway_replicas_connected",
      type: "gauge",
      help: "Replicas that the gateway has a connection to.",
      samples: gauge(({ queue }) => queue.connected),
    },
    {
      name: "slipway_service_asleep",
      type: "gauge",
      help: "1 while a service has no replicas and wakes at its next request.",
      samples: gauge(({ sleeper }) => (sleeper === undefined ? 0 : 1)),
    },
    {
      name: "slipway_service_revision",
      type: "gauge",
      help: "Number of the revision that serves.",
      samples: gauge(({ route }) => route.revision),
    },
  ];
}

export function labelsOf({ route }: RoutedService): Labels {
  return { workspace: route.workspace, service: route.name };
}

function refusalSamples({ refusals }: ServiceMetrics, labels: Labels): Sample[] {
  return [...refusals].map(([reason, value]) => ({ labels: { ...labels, reason }, value }));
}

function durationSamples({ durations }: RevisionCounts, labels: Labels): Sample[] {
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
