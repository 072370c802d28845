import { imagePaths } from "@slipway/api";
import type { EngineInfo } from "../../platform/engine/engine-answers.ts";
import type { Limit } from "../../platform/engine/own-limits.ts";
import type { Deployment } from "../target.ts";
import type { ContainerUser } from "./container-user.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** Names of labels; adoption and removal find containers by them, whatever they are called. */
export const labels = {
  installation: "slipway.installation",
  deployment: "slipway.deployment",
  replica: "slipway.replica",
  service: "slipway.service",
} as const;

/** What a service's processes and threads may be together; enough for any thread pool, too few for a fork bomb. */
const PIDS = 1024;
const LOG_OPTIONS = { "max-size": "1m", "max-file": "2" };

export interface SettingsRequest {
  readonly deployment: Deployment;
  readonly folder: ReplicaFolder;
  readonly imageId: string;
  readonly installation: string;
  readonly user: ContainerUser;
  readonly info: EngineInfo;
  readonly network: "bridge" | "none";
  readonly limits: readonly Limit[];
  readonly timeZone: string | undefined;
}

/** The body of `POST /containers/create`: everything that keeps user code to itself stands here. */
export function containerSettings(request: SettingsRequest) {
  const { deployment, folder, info, user } = request;
  return {
    Image: request.imageId,
    // For the image's entrypoint, which is the scorer.
    Cmd: [imagePaths.run],
    User: `${user.uid}:${user.gid}`,
    WorkingDir: imagePaths.appRoot,
    Env: request.timeZone === undefined ? [] : [`TZ=${request.timeZone}`],
    // It is for `docker run` alone: here the target asks the scorer's socket, and no port is open.
    Healthcheck: { Test: ["NONE"] },
    Labels: {
      [labels.installation]: request.installation,
      [labels.deployment]: deployment.id,
      [labels.replica]: folder.run.replicaId,
      [labels.service]: `${deployment.workspace}/${deployment.service}`,
    },
    HostConfig: {
      CpuShares: Math.min(262_144, Math.max(2, Math.round(1024 * deployment.cpu))),
      Memory: deployment.memoryBytes,
      // The same figure: no swap.
      MemorySwap: deployment.memoryBytes,
      PidsLimit: PIDS,
      Ulimits: request.limits,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ...(user.keepId && { UsernsMode: "keep-id" }),
      NetworkMode: request.network,
      RestartPolicy: { Name: "no" },
      Tmpfs: { "/tmp": "rw,nosuid,nodev,mode=1777" },
      LogConfig: { Type: "json-file", Config: LOG_OPTIONS },
      ...mounts(folder, info),
    },
  };
}

/** The engine gives a name once: two starts of one replica cannot both succeed. */
export function containerName(installation: string, { run }: ReplicaFolder): string {
  return `slipway-${installation}-${run.replicaId}`;
}

/** The logs' folder is mounted by itself, so that nothing inside can put a link in its place. */
function mounts({ shared, run }: ReplicaFolder, { SecurityOptions }: EngineInfo) {
  const pairs = [
    { source: shared, target: imagePaths.run },
    { source: run.logs, target: `${imagePaths.run}/logs` },
  ];
  // Only this older form can ask for SELinux' label; it cannot have a colon in a path.
  if (SecurityOptions?.some((option) => option.includes("selinux")))
    return { Binds: pairs.map(({ source, target }) => `${source}:${target}:rw,Z`) };
  return { Mounts: pairs.map(({ source, target }) => ({ Type: "bind", Source: source, Target: target })) };
}
