import { request } from "node:http";
import { type MetricFamily, type MetricLabels, ScorerState, scorerFamilies, shapeProblems } from "@slipway/api";
import type { RoutedService } from "./route-table.ts";
import { labelsOf } from "./service-families.ts";

/** A scraper waits ten seconds by default; a scorer answers from memory. */
const ANSWER_MS = 1000;
const MAX_ANSWER_BYTES = 1024 * 1024;

interface Answer {
  readonly labels: MetricLabels;
  readonly state: ScorerState;
}

/** What replicas say of themselves, asked now; those that do not answer are left out. */
export async function replicaFamilies(services: readonly RoutedService[]): Promise<MetricFamily[]> {
  const asked = services.flatMap((service) =>
    service.route.replicas.map(async ({ id, nonce, httpSocket }): Promise<readonly Answer[]> => {
      const state = httpSocket === undefined ? undefined : await stateOf(httpSocket);
      const labels = { ...labelsOf(service), revision: service.route.revision, replica: id };
      return state?.nonce === nonce ? [{ labels, state }] : [];
    }),
  );
  const answers = (await Promise.all(asked)).flat();
  return scorerFamilies(answers);
}

function stateOf(socketPath: string): Promise<ScorerState | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = request({ socketPath, path: "/_slipway/state", agent: false, signal }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > MAX_ANSWER_BYTES) response.destroy();
        else parts.push(part);
      });
      response.on("end", () => resolve(parse(Buffer.concat(parts).toString())));
      response.on("close", () => resolve(undefined));
      response.on("error", () => resolve(undefined));
    });
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}

function parse(text: string): ScorerState | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return shapeProblems(ScorerState, value).length === 0 ? (value as ScorerState) : undefined;
  } catch {
    return undefined;
  }
}
