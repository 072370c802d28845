import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";

interface UpOptions {
  readonly data: string;
  readonly cache?: string;
  readonly port: number;
  readonly gatewayPort: number;
  readonly publicUrl?: string;
  readonly containerInstances: string;
  readonly containerEngine?: string;
  readonly containerNetwork: string;
  readonly strictPython?: boolean;
  readonly condaChannelAlias?: string;
  readonly condaChannelMirror?: readonly string[];
  readonly baseImage?: string;
  readonly insecureRegistry?: readonly string[];
  readonly registryQuota?: number;
  readonly allowOpen?: boolean;
  readonly legacyStatusCodes?: boolean;
  readonly keepServices?: boolean;
}

/** `slipway up`: supervisor, control plane and gateway in the foreground. */
export function upCommand(): Command {
  return new Command("up")
    .description("start Slipway in the foreground: control plane, registry and gateway")
    .addOption(new Option("--data <folder>", "data folder").env("SLIPWAY_DATA").default(join(homedir(), ".slipway")))
    .addOption(
      new Option("--cache <folder>", "downloaded packages, shared by installations (default: ~/.cache/slipway)").env(
        "SLIPWAY_CACHE",
      ),
    )
    .addOption(
      new Option("--port <number>", "port of the control plane and the registry")
        .env("SLIPWAY_PORT")
        .argParser(port)
        .default(8443),
    )
    .addOption(
      new Option("--gateway-port <number>", "port for scoring traffic")
        .env("SLIPWAY_GATEWAY_PORT")
        .argParser(port)
        .default(8444),
    )
    .addOption(
      new Option("--public-url <url>", "address for clients on other machines, https://host:port").env(
        "SLIPWAY_PUBLIC_URL",
      ),
    )
    .addOption(
      new Option("--container-instances <target>", "how container-instance services run")
        .choices(["process", "container"])
        .default("process"),
    )
    .addOption(
      new Option(
        "--container-engine <address>",
        "Docker or Podman, for containers and for RUN steps of images; unix:///PATH (default: DOCKER_HOST, CONTAINER_HOST, the usual sockets)",
      ).env("SLIPWAY_CONTAINER_ENGINE"),
    )
    .addOption(
      new Option("--container-network <network>", "network of services in containers, and of RUN steps")
        .choices(["bridge", "none"])
        .default("bridge"),
    )
    .option("--strict-python", "refuse to build with another Python minor version than the one asked for")
    .addOption(
      new Option("--conda-channel-alias <url>", "in front of the names of conda channels, for a mirror of all").env(
        "SLIPWAY_CONDA_CHANNEL_ALIAS",
      ),
    )
    .addOption(
      new Option("--conda-channel-mirror <name=url...>", "take this conda channel from there").env(
        "SLIPWAY_CONDA_CHANNEL_MIRROR",
      ),
    )
    .addOption(
      new Option(
        "--base-image <reference>",
        "what images stand on; {python} is the minor version (default: base:python3.X of the built-in registry)",
      ).env("SLIPWAY_BASE_IMAGE"),
    )
    .option("--insecure-registry <host...>", "registries that may be used without encryption")
    .option("--registry-quota <GiB>", "what clients may push to the registry of one workspace", gibibytes)
    .option("--allow-open", "let services without authentication answer other machines too")
    .option("--legacy-status-codes", "an exception in run() answers 500 as in v1 instead of 424")
    .option("--keep-services", "when stopped, leave gateway and services running; the next start adopts them")
    .addHelpText(
      "after",
      `
Examples:
  slipway up                                     everything in ~/.slipway, on https://localhost:8443
  slipway up --data /srv/slipway --public-url https://models.example.org:8443
  slipway up --conda-channel-mirror conda-forge=https://mirror.example.org/conda-forge
  slipway up --base-image registry.example.org/python:{python}
  slipway up --container-instances container     services run in Docker or Podman
  slipway exec -- python deploy.py               in another terminal: run a script for Azure ML SDK v1

Ctrl-C stops everything, services included; the next start brings back every service that should run.`,
    )
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const { data, cache, keepServices, ...settings } = options;
  const dataFolder = resolve(data);
  let announced = false;
  // Loaded here: it brings the server's code along, which no other command needs.
  const { StartError, startSupervisor } = await import("../supervisor/supervisor.ts");
  const supervisor = await startSupervisor({
    dataFolder,
    settings: { ...settings, dataFolder, cacheFolder: cache ? resolve(cache) : undefined },
    gatewayPort: options.gatewayPort,
    onReady(url, notices) {
      if (announced) return print("The control plane is back.");
      announced = true;
      for (const notice of notices) print(notice);
      print(`Slipway is ready at ${url} (scoring on port ${options.gatewayPort}, data in ${dataFolder})`);
    },
    onNotice: print,
    onFatal(message) {
      process.stderr.write(`slipway: ${message}\n`);
      process.exit(1);
    },
  }).catch((error) => {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`slipway: ${error.message}\n`);
    process.exit(1);
  });

  const stop = () => {
    print(keepServices ? "Stopping; gateway and services keep running." : "Stopping, services included …");
    void supervisor.stop({ keepServices: keepServices === true }).then(() => process.exit(0));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  process.on("SIGHUP", () => void supervisor.restartControlPlane());
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function gibibytes(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("A quota is a number of GiB above 0.");
  return number;
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new InvalidArgumentError("A port is a number from 1 to 65535.");
  return number;
}
