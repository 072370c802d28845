import { type Cause, serviceNames } from "@slipway/api";
import { AppError, type ErrorDetail } from "../platform/errors.ts";

export const serviceNotFound = (name: string) =>
  new AppError({
    code: "ServiceNotFound",
    kind: "notFound",
    message: `There is no service ${name.slice(0, 64)} in this workspace. \`slipway service list\` shows all.`,
  });

export const serviceExists = (name: string) =>
  new AppError({
    code: "ServiceAlreadyExists",
    kind: "conflict",
    message: `A service named ${name} already exists in this workspace. Update it, delete it first, or deploy with overwrite=True.`,
  });

export const serviceNameInvalid = (name: string) =>
  new AppError({
    code: "ServiceNameInvalid",
    kind: "invalid",
    message: `name is "${name.slice(0, 64)}"; a service name has ${serviceNames.words}.`,
  });

export const serviceImageMissing = () =>
  new AppError({
    code: "ServiceImageMissing",
    kind: "invalid",
    message: "The request has neither imageId nor environmentImageRequest; one of them must say what to run.",
  });

export const serviceImageAmbiguous = () =>
  new AppError({
    code: "ServiceImageAmbiguous",
    kind: "invalid",
    message: "The request has both imageId and environmentImageRequest; leave one of them out.",
  });

export const imageNotUsable = (imageId: string, state: string, error: ErrorDetail | null) =>
  new AppError({
    code: "ImageNotUsable",
    kind: "invalid",
    message: `The image ${imageId} cannot be deployed: its build ended as ${state}${error === null ? "" : ` (${error.message})`}. Create it anew; its build log has the details.`,
    details: error === null ? [] : [{ code: error.code, message: error.message }],
  });

export const computeTypeChanged = (name: string, from: string, to: string) =>
  new AppError({
    code: "ComputeTypeChanged",
    kind: "conflict",
    message: `The service ${name} runs on ${from} and cannot be overwritten by one on ${to}. Delete it first.`,
  });

export const targetNotReady = (kind: string, reason: string, nextAction: string) =>
  new AppError({
    code: "TargetNotReady",
    kind: "conflict",
    message: `The ${kind} target cannot run services now: ${reason} ${nextAction}`,
  });

export const cpuNotAvailable = (asked: number, free: number) =>
  new AppError({
    code: "CpuNotAvailable",
    kind: "limit",
    message: `The service asks for ${asked} CPU cores per replica, but ${round(free)} are free. Ask for at most ${round(free)}, or delete a service.`,
  });

export const memoryNotAvailable = (askedBytes: number, freeBytes: number) =>
  new AppError({
    code: "MemoryNotAvailable",
    kind: "limit",
    message: `The service asks for ${gigabytes(askedBytes)} GB of memory, but ${gigabytes(freeBytes)} GB are free. Ask for less, or delete a service.`,
  });

export const scalingInvalid = (minReplicas: number, maxReplicas: number) =>
  new AppError({
    code: "ScalingInvalid",
    kind: "invalid",
    message: `autoScaler.maxReplicas is ${maxReplicas} and autoScaler.minReplicas ${minReplicas}; maxReplicas must be at least 1 and at least minReplicas.`,
  });

export const certificateIncomplete = (member: string) =>
  new AppError({
    code: "CertificateIncomplete",
    kind: "invalid",
    message: `${member} is missing: a service with a certificate of its own needs sslCertificate, sslKey (both PEM) and cname. Leave all of them out to be served with the gateway's certificate.`,
  });

export const certificateUnusable = (member: string, why: string) =>
  new AppError({ code: "CertificateUnusable", kind: "invalid", message: `${member} cannot be used: ${why}.` });

export const certificateExpired = (expiredAt: Date) =>
  new AppError({
    code: "CertificateExpired",
    kind: "invalid",
    message: `sslCertificate expired at ${expiredAt.toISOString()}. Give one that is valid.`,
  });

export const cnameTaken = (cname: string, service: string) =>
  new AppError({
    code: "CnameTaken",
    kind: "conflict",
    message: `The host name ${cname} has another certificate already, with service ${service}. Give both the same one, or choose another cname.`,
  });

export const corsOriginInvalid = (origin: string) =>
  new AppError({
    code: "CorsOriginInvalid",
    kind: "invalid",
    message: `The property slipway.cors has "${origin.slice(0, 100)}"; it must be origins like https://app.example.com, separated by commas and without a path, or *.`,
  });

export const bodyLimitInvalid = (limit: string, maxBytes: number) =>
  new AppError({
    code: "BodyLimitInvalid",
    kind: "invalid",
    message: `The property slipway.maxBodyBytes is "${limit.slice(0, 40)}"; it must be a number from 1 to ${maxBytes}.`,
  });

export const settingUnsupported = (member: string, why: string) =>
  new AppError({ code: "SettingUnsupported", kind: "unsupported", message: `${member} is not supported: ${why}` });

export const patchInvalid = (op: string, path: string, why: string) =>
  new AppError({
    code: "PatchInvalid",
    kind: "invalid",
    message: `The patch "${op.slice(0, 40)}" of "${path.slice(0, 200)}" is not possible: ${why}.`,
  });

export const keyInvalid = (member: string) =>
  new AppError({
    code: "ServiceKeyInvalid",
    kind: "invalid",
    message: `${member} must have 8 to 256 printable ASCII characters without blanks.`,
  });

export const tokensOff = (name: string) =>
  new AppError({
    code: "ServiceTokensOff",
    kind: "invalid",
    message: `The service ${name} does not use tokens. Switch token authentication on, or use its keys.`,
  });

export const keysOff = (name: string) =>
  new AppError({
    code: "ServiceKeysOff",
    kind: "invalid",
    message: `The service ${name} uses tokens instead of keys. Ask for a token, or switch key authentication on.`,
  });

/** A revision did not come up, or failed its first request: the cause in the places that the client prints. */
export function deploymentFailed(cause: Cause): AppError {
  const place = placeOf(cause);
  const details: ErrorDetail[] = [{ code: cause.code, message: cause.message + place }];
  if (cause.nextAction !== undefined) details.push({ code: "NextAction", message: cause.nextAction });
  if (cause.traceback !== undefined) details.push({ code: "Traceback", message: cause.traceback });
  const message = [`${cause.message}${place}`, cause.nextAction].filter(Boolean).join(" ");
  return new AppError({ code: cause.code, kind: "invalid", message, details, cause });
}

/** ` (score.py, line 3)`, unless the message says it. */
export function placeOf({ file, line, message }: Cause): string {
  if (file === undefined || message.includes(file)) return "";
  return ` (${file}${line === undefined ? "" : `, line ${line}`})`;
}

/** The cause that an error carries, or the error itself as one. */
export function causeOf(error: AppError): Cause {
  const { cause } = error;
  if (
    typeof cause === "object" &&
    cause !== null &&
    "code" in cause &&
    "message" in cause &&
    !(cause instanceof Error)
  ) {
    return cause as Cause;
  }
  return { code: error.code, message: error.message };
}

export const gatewayUnreachable = (cause: unknown) =>
  new AppError({
    code: "GatewayUnreachable",
    kind: "unavailable",
    message: "The gateway does not answer on its control socket. It takes the routes over as soon as it runs again.",
    cause,
  });

/** For `catch`: what is gone is no error here. */
export function undefinedIfNotFound(error: unknown): undefined {
  if (error instanceof AppError && error.kind === "notFound") return undefined;
  throw error;
}

function round(value: number): number {
  return Math.floor(value * 100) / 100;
}

function gigabytes(bytes: number): number {
  return round(bytes / 1024 ** 3);
}
