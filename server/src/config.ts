import { join, resolve } from "node:path";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { AppError } from "./platform/errors.ts";

/** Every setting of an installation. The reference page is generated from the descriptions. */
export const Config = Type.Object(
  {
    dataFolder: Type.String({
      description: "Folder that holds everything: database, blobs, environments, certificates, logs.",
    }),
    port: Type.Integer({
      minimum: 1,
      maximum: 65535,
      default: 8443,
      description: "Port of the control plane and the registry.",
    }),
    gatewayPort: Type.Integer({ minimum: 1, maximum: 65535, default: 8444, description: "Port for scoring traffic." }),
    publicUrl: Type.Optional(
      Type.String({
        pattern: "^https://[^/@?#]+$",
        description:
          "Address under which clients reach the control plane; https://localhost:PORT if not given. Another host than localhost makes the server listen on all interfaces.",
      }),
    ),
    containerInstances: Type.Union([Type.Literal("process"), Type.Literal("container")], {
      default: "process",
      description: "How container-instance services (ACI) run.",
    }),
    containerEngine: Type.Optional(
      Type.String({
        pattern: "^unix:///.+",
        description:
          "Docker or Podman, as unix:///PATH of its socket; DOCKER_HOST, CONTAINER_HOST or the usual sockets if not given.",
      }),
    ),
    containerNetwork: Type.Union([Type.Literal("bridge"), Type.Literal("none")], {
      default: "bridge",
      description:
        "Network of services that run in containers, and of RUN steps of images: the engine's bridge, by which they may call out, or none.",
    }),
    strictPython: Type.Boolean({
      default: false,
      description: "Refuse to build with another Python minor version than the one asked for.",
    }),
    allowOpen: Type.Boolean({
      default: false,
      description: "Let services without authentication answer other machines too.",
    }),
    legacyStatusCodes: Type.Boolean({
      default: false,
      description:
        "An exception in run() answers 500 as in v1 instead of 424. The old client then repeats the request three times.",
    }),
    baseImage: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 400,
        description:
          "What images stand on that name no base themselves; {python} stands for the minor version, as in python:{python}-slim. If not given: base:python3.X of the built-in registry, else the public python:3.X-slim-bookworm.",
      }),
    ),
    insecureRegistry: Type.Array(Type.String({ pattern: "^[A-Za-z0-9.\\[\\]:-]+$" }), {
      default: [],
      description:
        "HOST or HOST:PORT of a registry that may be used without encryption. This machine's own always may.",
    }),
    registryQuota: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description:
          "GiB that clients may push to the registry of one workspace; as much as the disk takes if not given. What Slipway builds does not count.",
      }),
    ),
    condaChannelAlias: Type.Optional(
      Type.String({
        pattern: "^https?://[^\\s@?#]+$",
        description:
          "Address in front of the names of conda channels, for a mirror of all of them; the public one if not given. Logins are taken from the file that NETRC names, else ~/.netrc.",
      }),
    ),
    condaChannelMirror: Type.Array(Type.String({ pattern: "^[^\\s=]+=https?://[^\\s@?#]+$" }), {
      default: [],
      description: "NAME=URL: the conda channel of this name (also defaults) is taken from there.",
    }),
    cacheFolder: Type.Optional(
      Type.String({
        description: "Folder for downloaded packages, shared by installations; ~/.cache/slipway if not given.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type Config = Readonly<Static<typeof Config>>;

/** Checks and completes the settings; anything unknown or mistyped is an error that names the key. */
export function parseConfig(settings: Readonly<Record<string, unknown>>): Config {
  const complete = Value.Default(Config, { ...settings });
  const [first] = Value.Errors(Config, complete);
  if (first !== undefined) {
    const params = first.params as { additionalProperties?: readonly string[] };
    const key = first.instancePath.slice(1) || params.additionalProperties?.join(", ") || "settings";
    throw new AppError({
      code: "ConfigInvalid",
      kind: "invalid",
      message: `The setting "${key}" is not valid: ${first.message}.`,
    });
  }
  const config = complete as Static<typeof Config>;
  if (config.port === config.gatewayPort) {
    throw new AppError({
      code: "ConfigInvalid",
      kind: "invalid",
      message: `Control plane and gateway cannot share port ${config.port}. Choose another --gateway-port.`,
    });
  }
  return Object.freeze({ ...config, dataFolder: resolve(config.dataFolder) });
}

/** Where everything lies in the data folder. */
export function dataLayout(dataFolder: string) {
  const at = (...parts: string[]) => join(dataFolder, ...parts);
  return {
    /** owner only: database and key file */
    state: at("state"),
    database: at("state", "slipway.db"),
    keyFile: at("state", "key"),
    lock: at("state", "control-plane.lock"),
    tls: at("tls"),
    blobs: at("blobs"),
    uploads: at("uploads"),
    registryUploads: at("registry-uploads"),
    /** models of images on their way from other registries; on the file system of the blobs */
    imports: at("blobs", "imports"),
    environments: at("environments"),
    tools: at("tools"),
    images: at("images"),
    /** what RUN steps have made, on its way into the registry */
    dockerSteps: at("docker-steps"),
    /** the programs that images bring along */
    runtimes: at("runtimes"),
    run: at("run"),
    containers: at("containers"),
    gateway: at("gateway"),
    gatewayConfig: at("gateway", "gateway.json"),
    logs: at("logs"),
    /** how the command line on this machine finds the server */
    clientFile: at("client.json"),
  } as const;
}
