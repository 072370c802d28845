import type { EngineInfo } from "../../platform/engine/engine-answers.ts";
import type { Limit } from "../../platform/engine/own-limits.ts";
import type { RunStep } from "./docker-steps-config.ts";

/** The label of everything that a build has in an engine; its value is the session. */
export const SESSION_LABEL = "slipway.docker-steps";

export interface StepContainerRequest {
  readonly step: RunStep;
  /** the image's name in the engine */
  readonly image: string;
  readonly session: string;
  readonly info: EngineInfo;
  readonly network: "bridge" | "none";
  readonly limits: readonly Limit[];
}

/** What package managers need to give files to other users, and no more. */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"];
/** A compiler on all processors has some hundred. */
const PIDS = 4096;
/** 1980, the first year that zip files know. Python then compiles without times in the result, which no later time makes untrue. */
const SOURCE_DATE_EPOCH = "315532800";

/** The body of `POST /containers/create`. Unlike a service a step may write everywhere and is root, unless a USER step says otherwise. */
export function stepContainer({ step, image, session, info, network, limits }: StepContainerRequest) {
  const half = Math.floor(info.MemTotal / 2);
  return {
    Image: image,
    Cmd: step.command,
    User: step.user === "" ? "0:0" : step.user,
    WorkingDir: step.workingDirectory,
    // The same in each build, unlike the container's id.
    Hostname: "slipway-build",
    Env: Object.entries({ SOURCE_DATE_EPOCH, ...step.env }).map(([name, value]) => `${name}=${value}`),
    Labels: { [SESSION_LABEL]: session },
    HostConfig: {
      NetworkMode: network,
      CapDrop: ["ALL"],
      CapAdd: CAPABILITIES,
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: PIDS,
      Ulimits: limits,
      ...(info.MemoryLimit !== false && { Memory: half, MemorySwap: half }),
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { "max-size": "16m", "max-file": "2" } },
    },
  };
}
