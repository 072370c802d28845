import { AppError } from "../../platform/errors.ts";
import type { Platform } from "../image-config.ts";

/** Text from outside, safe to print. */
const shown = (text: string) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);

export const referenceInvalid = (text: string, reason: string) =>
  new AppError({
    code: "ReferenceInvalid",
    kind: "invalid",
    message: `${shown(text)} is not the name of an image: ${reason}. Write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], for instance python:3.11-slim.`,
  });

export const registryHostUnknown = (host: string, cause?: unknown) =>
  new AppError({
    code: "RegistryHostUnknown",
    kind: "unavailable",
    message: `The registry ${host} has no address: its name is not known here. Check the name and this machine's DNS, or set HTTPS_PROXY before starting Slipway.`,
    cause,
  });

export const registryUnreachable = (host: string, reason: string, cause?: unknown) =>
  new AppError({
    code: "RegistryUnreachable",
    kind: "unavailable",
    message: `The registry ${host} cannot be reached: ${reason}. Check that it runs and that this machine may connect to it (HTTPS_PROXY, NO_PROXY, firewall).`,
    cause,
  });

export const registryCertificate = (host: string, reason: string, cause?: unknown) =>
  new AppError({
    code: "RegistryCertificate",
    kind: "unavailable",
    message: `The certificate of the registry ${host} is not trusted: ${reason}. Name its certificate authority in SSL_CERT_FILE before starting Slipway.`,
    cause,
  });

export const registryPlainHttp = (host: string, cause?: unknown) =>
  new AppError({
    code: "RegistryPlainHttp",
    kind: "unavailable",
    message: `The registry ${host} does not speak HTTPS. Give it a certificate, or start Slipway with --insecure-registry ${host} to use it without encryption.`,
    cause,
  });

export const registryAccessDenied = (host: string, repository: string, withCredentials: boolean) =>
  new AppError({
    code: "RegistryAccessDenied",
    kind: "forbidden",
    message: withCredentials
      ? `The registry ${host} refuses access to ${repository} with the given user name and password. Check them, the user's rights, and that ${repository} exists.`
      : `The registry ${host} refuses access to ${repository} without credentials. Give user name and password, and check that ${repository} exists.`,
  });

export function remoteImageNotFound(host: string, repository: string, reference: string): AppError {
  const image = `${repository}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
  return new AppError({
    code: "RemoteImageNotFound",
    kind: "notFound",
    message: `The registry ${host} has no image ${image}. Check name and tag.`,
  });
}

export const platformNotOffered = (image: string, wanted: Platform, offered: readonly Platform[]) =>
  new AppError({
    code: "PlatformNotOffered",
    kind: "invalid",
    message: `${image} is not made for ${platformName(wanted)}; it is there for ${[...new Set(offered.map(platformName))].join(", ") || "no known platform"}. Choose an image for ${platformName(wanted)}, or another architecture.`,
  });

const platformName = ({ os, architecture, variant }: Platform) =>
  [os, architecture, ...(variant ? [variant] : [])].join("/").slice(0, 60);

export const registrySilent = (host: string, ms: number) =>
  new AppError({
    code: "RegistrySilent",
    kind: "timeout",
    message: `The registry ${host} did not answer for ${Math.round(ms / 100) / 10} s. Try again later, or use another registry.`,
  });

export function registryBusy(host: string, retryAfterSeconds: number | undefined): AppError {
  const wish = retryAfterSeconds === undefined ? "" : `, and asks to wait for ${retryAfterSeconds} s`;
  return new AppError({
    code: "RegistryBusy",
    kind: "limit",
    message: `The registry ${host} answers 429, too many requests${wish}. Try again later; with credentials the limit is often higher.`,
  });
}

export const registryFailed = (host: string, what: string) =>
  new AppError({
    code: "RegistryFailed",
    kind: "unavailable",
    message: `The registry ${host} failed: ${what}. Its own log tells more; try again later.`,
  });

export const redirectRefused = (host: string, reason: string) =>
  new AppError({
    code: "RedirectRefused",
    kind: "unavailable",
    message: `The registry ${host} sends the client elsewhere, which is refused: ${reason}. Correct the registry's configuration.`,
  });

export const connectionBroken = (host: string, received: number, size: number, cause?: unknown) =>
  new AppError({
    code: "ConnectionBroken",
    kind: "unavailable",
    message: `The connection to the registry ${host} broke again and again, ${received} of ${size} bytes had come. Try again: what is whole is kept.`,
    cause,
  });

export const remoteBlobCorrupt = (host: string, digest: string, reason: string) =>
  new AppError({
    code: "RemoteBlobCorrupt",
    kind: "invalid",
    message: `The part ${digest} from the registry ${host} is damaged: ${reason}. Nothing of it was used. Push the image there again, or use another one.`,
  });

export const manifestInvalid = (image: string, reason: string) =>
  new AppError({
    code: "ManifestInvalid",
    kind: "invalid",
    message: `The manifest or configuration of ${image} cannot be used: ${reason}. Use an image in Docker's schema 2 or the OCI format.`,
  });

export const layerInvalid = (digest: string, reason: string) =>
  new AppError({
    code: "LayerInvalid",
    kind: "invalid",
    message: `The layer ${digest} cannot be used: ${reason}. Use another image.`,
  });

export const pushRefused = (host: string, what: string, answer: string) =>
  new AppError({
    code: "PushRefused",
    kind: "invalid",
    message: `The registry ${host} did not take ${what}: ${answer}.`,
  });
