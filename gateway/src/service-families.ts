import { type MetricFamily, type MetricLabels, type MetricSample, requestFamilies } from "@slipway/api";
import type { RoutedService } from "./route-table.ts";
import type { ServiceMetrics } from "./service-metrics.ts";

/** What the gateway itself knows of its services. */
export function serviceFamilies(services: readonly RoutedService[], unrouted: ServiceMetrics): MetricFamily[] {
  const each = (samples: (service: RoutedService, labels: MetricLabels) => readonly MetricSample[]) =>
    services.flatMap((service) => samples(service, labelsOf(service)));
  const gauge = (value: (service: RoutedService) => number) =>
    each((service, labels) => [{ labels, value: value(service) }]);
  const counted = services.flatMap((service) =>
    [...service.metrics.revisions].map(([revision, counts]) => ({
      labels: { ...labelsOf(service), revision },
      counts,
    })),
  );
  return [
    ...requestFamilies(counted),
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

export function labelsOf({ route }: RoutedService): MetricLabels {
  return { workspace: route.workspace, service: route.name };
}

function refusalSamples({ refusals }: ServiceMetrics, labels: MetricLabels): MetricSample[] {
  return [...refusals].map(([reason, value]) => ({ labels: { ...labels, reason }, value }));
}
