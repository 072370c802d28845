import type { Kysely } from "kysely";
import type { BlobStore } from "../../platform/blob-store/blob-store.ts";
import type { Clock } from "../../platform/clock.ts";
import { AppError } from "../../platform/errors.ts";
import type { Platform, Registry, Repository } from "../../registry/index.ts";
import {
  type ImageReference,
  imageName,
  parseImageReference,
  type RemoteRegistries,
  referenceTarget,
} from "../../registry/remote/index.ts";
import { baseNotFound, baseWithoutPython } from "./base-errors.ts";
import type { BaseRequest, BaseResolver, ResolvedBase } from "./base-image.ts";
import { pythonMinors, visibleLinks, visiblePython } from "./base-python.ts";
import { describeBase, isWhole, pythonsOf, takeLayer } from "./base-reading.ts";
import { type BaseSource, builtInSource, remoteSource } from "./base-source.ts";
import { type BaseKey, createBaseStore, type StoredBase } from "./base-store.ts";
import type { BaseTables } from "./base-tables.ts";

export interface BaseResolverDependencies<Tables extends BaseTables> {
  readonly database: Kysely<Tables>;
  readonly clock: Clock;
  readonly blobs: BlobStore;
  readonly registry: Registry;
  readonly remote: RemoteRegistries;
  /** `host:port` under which the built-in registry is named in references */
  readonly registryHost: string;
  /** the setting `--base-image`, where `{python}` stands for the minor version; without it the order of `candidates` counts */
  readonly defaultReference?: string | undefined;
  /** The workspace that has this namespace in the built-in registry; without a namespace the default workspace. */
  findNamespace(
    namespace: string | undefined,
  ): Promise<{ readonly id: string; readonly namespace: string } | undefined>;
}

/** A place where a base may be. */
interface Candidate {
  readonly name: string;
  readonly key: BaseKey;
  readonly source: BaseSource;
  readonly target: string;
  /** nobody asked for it by name: it may not make a build slow */
  readonly isGuess: boolean;
}

/** For bases that nobody asked for by name. */
const LOOK_MS = 3_000;
const FAILURE_KEPT_MS = 10 * 60_000;
const BASE_REPOSITORY = "base";
/** For images that need no Python, where any will do. */
const ANY_MINOR = "3.11";

export function createBaseResolver<Tables extends BaseTables>(deps: BaseResolverDependencies<Tables>): BaseResolver {
  const store = createBaseStore(deps.database, deps.clock);
  const reading = { store, registry: deps.registry, blobs: deps.blobs };
  /** guesses that failed, with the reason */
  const failures = new Map<string, { readonly at: number; readonly error: AppError }>();

  async function candidates(request: BaseRequest, minor: string | undefined): Promise<Candidate[]> {
    const { reference } = request;
    if (reference !== undefined && !isClientDefault(reference)) {
      return [await namedCandidate(request, parseImageReference(reference))];
    }
    if (deps.defaultReference !== undefined) {
      const standard = deps.defaultReference.replaceAll("{python}", minor ?? ANY_MINOR);
      return [{ ...(await namedCandidate(request, parseImageReference(standard))), isGuess: true }];
    }
    const repositories = [{ workspaceId: request.workspaceId, name: BASE_REPOSITORY }];
    const shared = await deps.findNamespace(undefined);
    if (shared !== undefined && shared.id !== request.workspaceId) {
      repositories.push({ workspaceId: shared.id, name: BASE_REPOSITORY });
    }
    const found: Candidate[] = [];
    for (const repository of repositories) {
      const tag = minor === undefined ? await newestPython(repository) : `python${minor}`;
      if (tag !== undefined) found.push(builtIn(request, repository, tag, `${BASE_REPOSITORY}:${tag}`));
    }
    const remote = parseImageReference(`python:${minor ?? ANY_MINOR}-slim-bookworm`);
    return [...found, remoteCandidate(request, remote, true)];
  }

  async function namedCandidate(request: BaseRequest, reference: ImageReference): Promise<Candidate> {
    if (reference.host !== deps.registryHost) return remoteCandidate(request, reference, false);
    const [namespace, name = "", ...more] = reference.repository.split("/");
    const owner = await deps.findNamespace(namespace);
    const shared = await deps.findNamespace(undefined);
    // Other workspaces' images are theirs; the shared repository of bases is everybody's.
    const mayRead = owner?.id === request.workspaceId || (owner?.id === shared?.id && name === BASE_REPOSITORY);
    if (owner === undefined || !mayRead || more.length > 0) {
      throw baseNotFound([imageName(reference)], "This workspace has no such image in the built-in registry.");
    }
    const repository = { workspaceId: owner.id, name };
    return builtIn(request, repository, referenceTarget(reference), imageName(reference));
  }

  function builtIn(request: BaseRequest, repository: Repository, target: string, name: string): Candidate {
    const { architecture } = request;
    const key = { scope: repository.workspaceId, reference: name, architecture };
    return { name, key, target, source: builtInSource(deps.registry, repository, name), isGuess: false };
  }

  function remoteCandidate(request: BaseRequest, reference: ImageReference, isGuess: boolean): Candidate {
    const { workspaceId, architecture } = request;
    const { host = reference.host } = request.credentials ?? {};
    const credentials = host === reference.host ? request.credentials : undefined;
    const name = imageName(reference);
    const scope = credentials === undefined ? "" : `${workspaceId}/${credentials.username}`;
    const source = remoteSource(deps.remote.open(reference, credentials), deps.blobs);
    return { name, key: { scope, reference: name, architecture }, source, target: referenceTarget(reference), isGuess };
  }

  async function newestPython(repository: Repository): Promise<string | undefined> {
    const tags = await deps.registry.tags(repository);
    const minors = tags.flatMap((tag) => /^python3\.(\d+)$/.exec(tag)?.[1] ?? []).map(Number);
    return minors.length === 0 ? undefined : `python3.${Math.max(...minors)}`;
  }

  async function take(candidate: Candidate, request: BaseRequest): Promise<StoredBase> {
    const { name, key, source } = candidate;
    const { signal } = request;
    const wanted: Platform = { os: "linux", architecture: request.architecture };
    const kept = request.refresh === true ? undefined : await store.find(key);
    if (kept !== undefined && (await isWhole(reading, kept))) return kept;
    const limited = candidate.isGuess ? AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]) : signal;
    // Layers that were lost come again by the digest that is kept.
    const described = await describeBase(source, name, kept?.digest ?? candidate.target, wanted, limited);
    const bytes = described.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
    const { length } = described.layers;
    request.say?.(`Base image ${name}: ${length} layer${length === 1 ? "" : "s"}, ${Math.ceil(bytes / 1e6)} MB.`);
    for (const layer of described.layers) await takeLayer(reading, source, layer, signal);
    await store.remember(key, described);
    return described;
  }

  /** A guess that failed a short while ago is not tried again. */
  async function takeGuess(candidate: Candidate, request: BaseRequest): Promise<StoredBase> {
    const now = deps.clock.now().getTime();
    const key = `${candidate.name} ${request.architecture}`;
    const failure = failures.get(key);
    if (failure !== undefined && now - failure.at < FAILURE_KEPT_MS && request.refresh !== true) throw failure.error;
    try {
      return await take(candidate, request);
    } catch (error) {
      request.signal.throwIfAborted();
      const found = looked(candidate.name, error);
      failures.set(key, { at: now, error: found });
      throw found;
    }
  }

  async function withPython(base: StoredBase, minor: string | undefined): Promise<ResolvedBase> {
    const pythons = await pythonsOf(store, base);
    const links = visibleLinks(pythons);
    if (minor === undefined) return { ...base, links };
    const pythonPath = visiblePython(pythons, minor, base.config.env.PATH);
    if (pythonPath === undefined) throw baseWithoutPython(base.reference, minor, pythonMinors(pythons));
    return { ...base, links, pythonPath };
  }

  return {
    async resolve(request) {
      const minor = /^3\.\d+/.exec(request.pythonVersion ?? "")?.[0];
      const all = await candidates(request, minor);
      const failed: AppError[] = [];
      for (const candidate of all) {
        try {
          const base = await (candidate.isGuess ? takeGuess : take)(candidate, request);
          return await withPython(base, minor);
        } catch (error) {
          request.signal.throwIfAborted();
          if (all.length === 1 || !(error instanceof AppError)) throw error;
          failed.push(error);
        }
      }
      const [last] = failed.toReversed();
      throw baseNotFound(
        all.map(({ name }) => name),
        last?.message ?? "",
      );
    },
  };
}

/**
 * What the genuine client names when its user has named nothing (wire contract 13.1): gigabytes with tools for training, of which a
 * service needs nothing.
 */
function isClientDefault(reference: string): boolean {
  return reference.startsWith("mcr.microsoft.com/azureml/");
}

/** Looking that took too long is not the build's own abort. */
function looked(name: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) {
    return baseNotFound([name], `its registry did not answer within ${LOOK_MS / 1000} s.`);
  }
  throw error;
}
