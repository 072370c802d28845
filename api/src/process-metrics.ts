import type { MetricFamily } from "./prometheus-text.ts";

export interface ProcessUsage {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** seconds since 1970 */
  readonly startedAt: number;
}

/**
 * What Prometheus' own client libraries tell of a process, under their names.
 *
 * @param program for the help lines: "the scorer"
 * @param counted what memory and time are those of, where that needs more words
 */
export function processFamilies(usage: ProcessUsage, program: string, counted = program): MetricFamily[] {
  const one = (value: number) => [{ labels: {}, value }];
  return [
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: `Resident memory of ${counted}.`,
      samples: one(usage.residentBytes),
    },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: `CPU time of ${counted}.`,
      samples: one(usage.cpuSeconds),
    },
    {
      name: "process_start_time_seconds",
      type: "gauge",
      help: `When ${program} began, in seconds since 1970.`,
      samples: one(usage.startedAt),
    },
  ];
}
