import { isSlipwayError, type Service } from "@slipway/client";
import { CliError } from "../cli-error.ts";
import { inlineOrFile } from "../options.ts";
import type { Session } from "../session.ts";
import { findImage, type ImageToBuild, prepareImage } from "./build-image.ts";
import { checkServiceName } from "./check-names.ts";
import { curlLine } from "./curl-line.ts";
import { readSample } from "./register-model.ts";
import { waitFor } from "./wait-for.ts";

/** What people say on the command line about a service and, if it is built on the way, its image. */
export interface ServiceRequest extends Omit<ImageToBuild, "models" | "tags"> {
  readonly model?: readonly string[] | undefined;
  /** `NAME:VERSION` or `NAME`, instead of building one */
  readonly image?: string | undefined;
  readonly tag?: Readonly<Record<string, string>> | undefined;
  readonly cpu?: number | undefined;
  /** gigabytes */
  readonly memory?: number | undefined;
  readonly auth?: boolean | undefined;
  readonly replicas?: number | undefined;
  readonly minReplicas?: number | undefined;
  readonly maxReplicas?: number | undefined;
  readonly idleSeconds?: number | undefined;
  readonly cors?: readonly string[] | undefined;
}

/** Builds the image if there is none, starts the service, and waits until it answers. */
export async function deployService(
  session: Session,
  request: ServiceRequest & { readonly overwrite?: boolean | undefined },
): Promise<Service> {
  const { client, progress, signal } = session;
  checkServiceName(request.name);
  const settings = settingsOf(request);
  await readSample(request.sampleInput);
  if (request.overwrite !== true) await refuseTakenName(session, request.name);
  const image = await prepareImageFor(session, request);
  if (image === undefined)
    throw new CliError(
      "NothingToDeploy",
      "usage",
      "Say what to deploy: --model FILE (with --script and --conda), or --image NAME:VERSION.",
    );
  const imageId = await image();
  return progress.step(`Deploy service ${request.name}`, async (step) => {
    const started = await client.services.create(
      { ...settings, name: request.name, imageId, overwrite: request.overwrite },
      { signal },
    );
    await waitFor(session, started.operationId, step);
    return client.services.get(request.name, { signal });
  });
}

/** Changes what is said; the old revision serves until the new one has passed its checks. */
export async function updateService(session: Session, request: ServiceRequest): Promise<Service> {
  const { client, progress, signal } = session;
  const settings = settingsOf(request);
  await readSample(request.sampleInput);
  const image = await prepareImageFor(session, request);
  if (image === undefined && Object.values(settings).every((value) => value === undefined))
    throw new CliError(
      "NothingToUpdate",
      "usage",
      "Say what to change: --image, --model, --cpu, --memory, --auth, --replicas, --cors, --description, --tag …",
    );
  // Before anything is built for a service that is not there.
  if (image !== undefined) await client.services.get(request.name, { signal });
  const imageId = await image?.();
  return progress.step(`Update service ${request.name}`, async (step) => {
    const started = await client.services.update(request.name, { ...settings, imageId }, { signal });
    if (started !== undefined) await waitFor(session, started.operationId, step);
    return client.services.get(request.name, { signal });
  });
}

/** A request to the service as people can paste it. */
export async function curlFor(session: Session, service: Service, sampleInput: string | undefined): Promise<string> {
  const { client, connection, signal } = session;
  const key =
    service.authEnabled === true ? (await client.services.keys(service.name, { signal })).primaryKey : undefined;
  return curlLine({
    url: service.scoringUri,
    caFile: connection.caFile,
    key,
    body: sampleInput === undefined ? await exampleBody(session, service) : (await inlineOrFile(sampleInput)).trim(),
  });
}

/** Before anything is built for it. */
async function refuseTakenName({ client, signal }: Session, name: string): Promise<void> {
  try {
    await client.services.get(name, { signal });
  } catch (error) {
    if (isSlipwayError(error) && error.statusCode === 404) return;
    throw error;
  }
  throw new CliError(
    "ServiceAlreadyExists",
    "refused",
    `There is a service ${name} already. Change it with \`slipway service update ${name}\`, or add --overwrite.`,
  );
}

/** Looks and checks; the function that it gives builds, if there is something to build, and names the image. */
async function prepareImageFor(
  session: Session,
  request: ServiceRequest,
): Promise<(() => Promise<string>) | undefined> {
  const { image, model = [], script, conda, dependency } = request;
  if (image !== undefined) {
    const building = [model, script, conda, dependency].some((value) => value !== undefined && value.length > 0);
    if (building)
      throw new CliError("ImageAndModel", "usage", "Give either --image or what to build one from, not both.");
    const { id } = await findImage(session, image);
    return async () => id;
  }
  if (model.length === 0) {
    if (script !== undefined || conda !== undefined)
      throw new CliError("ModelMissing", "usage", "A new image needs at least one --model.");
    return undefined;
  }
  const { name, description, tag: tags, sampleInput } = request;
  const texts = { description, tags, sampleInput };
  const build = await prepareImage(session, { name, models: model, script, conda, dependency, ...texts });
  return async () => (await build()).id;
}

function settingsOf(request: ServiceRequest) {
  const { description, tag: tags, cpu, memory: memoryInGB, auth: authEnabled, replicas, cors: corsOrigins } = request;
  return { description, tags, cpu, memoryInGB, authEnabled, replicas, corsOrigins, scaling: scalingOf(request) };
}

function scalingOf({ replicas, minReplicas, maxReplicas, idleSeconds }: ServiceRequest) {
  if (minReplicas === undefined && maxReplicas === undefined && idleSeconds === undefined) return undefined;
  if (replicas !== undefined)
    throw new CliError(
      "ReplicasAmbiguous",
      "usage",
      "Give either --replicas or --min-replicas and --max-replicas, not both.",
    );
  if (minReplicas !== undefined && maxReplicas !== undefined && minReplicas > maxReplicas)
    throw new CliError(
      "ReplicasAmbiguous",
      "usage",
      `--min-replicas ${minReplicas} is more than --max-replicas ${maxReplicas}. Exchange them, or give one alone.`,
    );
  return { minReplicas, maxReplicas, idleSeconds };
}

/** What a model's owner gave as an example, else what the service itself gives, else a body of the usual form. */
async function exampleBody(session: Session, service: Service): Promise<string> {
  const { client, signal } = session;
  const image = await client.images.get(service.imageId, { signal });
  for (const modelId of image.modelIds) {
    const { sampleInputData } = await client.models.get(modelId, { signal });
    if (sampleInputData !== null && !sampleInputData.startsWith("aml://")) return sampleInputData;
  }
  const swagger = (await client.services.swagger(service.name, { signal })) as ExampleOfInput;
  const example = swagger.definitions?.ServiceInput?.example;
  return example === undefined ? '{"data": []}' : JSON.stringify(example);
}

interface ExampleOfInput {
  readonly definitions?: { readonly ServiceInput?: { readonly example?: unknown } };
}
