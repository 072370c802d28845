import { type Fetch, type Http, reach, readJson } from "./http.ts";
import { type Started, startedOperation } from "./operations.ts";
import { readPages, tagFilter } from "./pages.ts";
import { bearer, createScorer, type ScoreOptions, type Scorer } from "./scorer.ts";
import { errorFromResponse } from "./slipway-error.ts";
import type { Service, ServiceKeys } from "./wire.ts";
import type { WorkspaceAddress } from "./workspace-address.ts";

export interface ServiceSettings {
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** cores; what the machine gives when it is busy */
  readonly cpu?: number | undefined;
  /** gigabytes; a hard limit */
  readonly memoryInGB?: number | undefined;
  /** whether callers need a key */
  readonly authEnabled?: boolean | undefined;
  /** how long one answer may take */
  readonly scoringTimeoutMs?: number | undefined;
  /** how many requests a replica works on at once */
  readonly maxConcurrentRequests?: number | undefined;
  /** how long a request may wait for a replica until it is refused */
  readonly maxQueueWaitMs?: number | undefined;
  /** origins whose pages may call the service, or `*` */
  readonly corsOrigins?: readonly string[] | undefined;
  /** a fixed number; instead of `scaling` */
  readonly replicas?: number | undefined;
  /** the number of replicas follows the load */
  readonly scaling?: ScalingSettings | undefined;
}

export interface ScalingSettings {
  /** 0: none when nobody asks; the next request wakes the service */
  readonly minReplicas?: number | undefined;
  readonly maxReplicas?: number | undefined;
  /** percent of the places for requests that should be taken; 70 if not given */
  readonly targetUtilization?: number | undefined;
  /** with `minReplicas` 0: so long without a request until the last replica goes; 300 if not given */
  readonly idleSeconds?: number | undefined;
}

export interface NewService extends ServiceSettings {
  readonly name: string;
  /** `name:version` */
  readonly imageId: string;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  /** a service of this name is updated instead of refused */
  readonly overwrite?: boolean | undefined;
}

export interface ServiceUpdate extends ServiceSettings {
  readonly imageId?: string | undefined;
}

export interface ServiceFilter {
  readonly imageId?: string | undefined;
  readonly imageName?: string | undefined;
  readonly modelId?: string | undefined;
  readonly modelName?: string | undefined;
  readonly computeType?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

type CallOptions = { readonly signal?: AbortSignal | undefined };

export type Services = ReturnType<typeof createServices>;

export function createServices(http: Http, fetch: Fetch, address: WorkspaceAddress) {
  const all = `${address.modelManagement}/services`;
  const url = (name: string) => `${all}/${encodeURIComponent(name)}`;

  async function get(name: string, options: CallOptions = {}): Promise<Service> {
    return http.json<Service>("GET", url(name), { query: { expand: true }, ...options });
  }

  async function keys(name: string, options: CallOptions = {}): Promise<ServiceKeys> {
    return http.json<ServiceKeys>("POST", `${url(name)}/listkeys`, options);
  }

  async function scorer(name: string, options: CallOptions = {}): Promise<Scorer> {
    return createScorer({
      fetch,
      service: () => get(name, options),
      key: async () => (await keys(name, options)).primaryKey,
    });
  }

  return {
    /** Starts a container-instance service. @throws {SlipwayError} statusCode 409 when the name is taken */
    async create(service: NewService, options: CallOptions = {}): Promise<Started> {
      const response = await http.send("POST", all, {
        body: {
          name: service.name,
          imageId: service.imageId,
          computeType: "ACI",
          description: service.description ?? null,
          kvTags: service.tags ?? {},
          properties: service.properties ?? {},
          containerResourceRequirements: { cpu: service.cpu ?? null, memoryInGB: service.memoryInGB ?? null },
          authEnabled: service.authEnabled ?? false,
          scoringTimeoutMs: service.scoringTimeoutMs ?? null,
          maxConcurrentRequestsPerContainer: service.maxConcurrentRequests ?? null,
          maxQueueWaitMs: service.maxQueueWaitMs ?? null,
          ...(service.corsOrigins === undefined ? {} : { corsOrigins: service.corsOrigins }),
          ...(service.replicas === undefined ? {} : { numReplicas: service.replicas }),
          ...(service.scaling === undefined ? {} : { autoScaler: service.scaling }),
          ...(service.overwrite === undefined ? {} : { overwrite: service.overwrite }),
        },
        ...options,
      });
      return startedOperation(response);
    },

    /** Starts a change; what serves now keeps serving until the new revision has passed its checks. */
    async update(name: string, update: ServiceUpdate, options: CallOptions = {}): Promise<Started | undefined> {
      const response = await http.send("PATCH", url(name), {
        body: patchOf(update),
        contentType: "application/json-patch+json",
        ...options,
      });
      if (response.status === 202) return startedOperation(response);
      const service = (await response.json()) as Service;
      return service.operationId === null ? undefined : { operationId: service.operationId };
    },

    /** Newest first. */
    async list(filter: ServiceFilter = {}): Promise<Service[]> {
      const { signal, tags, ...fields } = filter;
      const query = { expand: true, ...fields, tags: tagFilter(tags) };
      return readPages<Service>(http, all, { query, signal }, "link");
    },

    /** @throws {SlipwayError} ServiceNotFound */
    get,

    /** Starts the removal; `undefined` if there was nothing to remove. */
    async delete(name: string, options: CallOptions = {}): Promise<Started | undefined> {
      const response = await http.send("DELETE", url(name), options);
      return response.status === 202 ? startedOperation(response) : undefined;
    },

    /** What score.py printed, and why the service failed if it did. @param tail at most so many lines */
    async logs(name: string, options: CallOptions & { readonly tail?: number | undefined } = {}): Promise<string> {
      const { tail = 5_000, signal } = options;
      const query = { tail, init: false };
      return (await http.json<{ content: string }>("GET", `${url(name)}/logs`, { query, signal })).content;
    },

    keys,

    /** Starts making a new key; callers with the other key are not disturbed. */
    async regenerateKey(name: string, key: "Primary" | "Secondary", options: CallOptions = {}): Promise<Started> {
      const response = await http.send("POST", `${url(name)}/regenerateKeys`, {
        body: { keyType: key, keyValue: null },
        ...options,
      });
      return startedOperation(response);
    },

    /** The service's own description of its requests and answers, an OpenAPI 2 document. */
    async swagger(name: string, options: CallOptions = {}): Promise<unknown> {
      const service = await get(name, options);
      const headers = service.authEnabled === true ? bearer((await keys(name, options)).primaryKey) : {};
      const { signal } = options;
      const init = { headers, ...(signal === undefined ? {} : { signal }) };
      const response = await reach(fetch, new URL("swagger.json", service.scoringUri).href, init);
      if (!response.ok) throw await errorFromResponse(response);
      return readJson(response);
    },

    /** For many requests: looks up address and key once. */
    scorer,

    /** One request to the service. @param data sent as JSON; a string is sent as it is */
    async score(name: string, data: unknown, options: ScoreOptions = {}): Promise<unknown> {
      return (await scorer(name, options))(data, options);
    },
  };
}

/** JSON Patch in the operations that the genuine client uses (wire contract, 9.3). */
function patchOf(update: ServiceUpdate): { op: "replace"; path: string; value: unknown }[] {
  const changes: Readonly<Record<string, unknown>> = {
    "/imageId": update.imageId,
    "/description": update.description,
    "/kvTags": update.tags,
    "/authEnabled": update.authEnabled,
    "/scoringTimeoutMs": update.scoringTimeoutMs,
    "/maxConcurrentRequestsPerContainer": update.maxConcurrentRequests,
    "/maxQueueWaitMs": update.maxQueueWaitMs,
    "/corsOrigins": update.corsOrigins,
    "/numReplicas": update.replicas,
    "/autoScaler/minReplicas": update.scaling?.minReplicas,
    "/autoScaler/maxReplicas": update.scaling?.maxReplicas,
    "/autoScaler/targetUtilization": update.scaling?.targetUtilization,
    "/autoScaler/idleSeconds": update.scaling?.idleSeconds,
    "/containerResourceRequirements/cpu": update.cpu,
    "/containerResourceRequirements/memoryInGB": update.memoryInGB,
  };
  return Object.entries(changes)
    .filter(([, value]) => value !== undefined)
    .map(([path, value]) => ({ op: "replace", path, value }));
}
