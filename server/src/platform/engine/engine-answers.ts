import { type Static, Type } from "typebox";

/** Answers of the Docker Engine API, as far as they matter here. Podman gives the same ones. */

export const EngineVersion = Type.Object({
  Version: Type.String(),
  ApiVersion: Type.String(),
  MinAPIVersion: Type.Optional(Type.String()),
  Components: Type.Optional(Type.Array(Type.Object({ Name: Type.String() }))),
});
export type EngineVersion = Readonly<Static<typeof EngineVersion>>;

export const EngineInfo = Type.Object({
  NCPU: Type.Integer(),
  MemTotal: Type.Integer(),
  Architecture: Type.String(),
  CgroupVersion: Type.Optional(Type.String()),
  MemoryLimit: Type.Optional(Type.Boolean()),
  CPUShares: Type.Optional(Type.Boolean()),
  SecurityOptions: Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())])),
});
export type EngineInfo = Readonly<Static<typeof EngineInfo>>;

/** What machines call themselves, in OCI's words. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

export function ociArchitecture({ Architecture }: Pick<EngineInfo, "Architecture">): string {
  return ARCHITECTURES[Architecture] ?? Architecture;
}

export const EngineImage = Type.Object({
  Id: Type.String(),
  /** digests of the uncompressed layers, lowest first */
  RootFS: Type.Optional(Type.Object({ Layers: Type.Optional(Type.Array(Type.String())) })),
});
export type EngineImage = Readonly<Static<typeof EngineImage>>;

export const CreatedContainer = Type.Object({ Id: Type.String() });

const Labels = Type.Union([Type.Null(), Type.Record(Type.String(), Type.String())]);

export const Container = Type.Object({
  Id: Type.String(),
  State: Type.Object({
    /** created, running, paused, restarting, removing, exited, dead, and some words of Podman's own */
    Status: Type.String(),
    Running: Type.Boolean(),
    /** the kernel has killed a process of it for memory, not always the first one */
    OOMKilled: Type.Optional(Type.Boolean()),
    ExitCode: Type.Integer(),
    Error: Type.Optional(Type.String()),
  }),
  Config: Type.Object({ Labels: Type.Optional(Labels) }),
});
export type Container = Readonly<Static<typeof Container>>;

export const ContainerList = Type.Array(
  Type.Object({ Id: Type.String(), State: Type.String(), Labels: Type.Optional(Labels) }),
);
export type ListedContainer = Readonly<Static<typeof ContainerList>[number]>;

/** Answer to a wait. */
export const ContainerEnd = Type.Object({ StatusCode: Type.Integer() });

export const ImageList = Type.Array(
  Type.Object({ Id: Type.String(), RepoTags: Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())])) }),
);

/** One line of the answer to a load. */
export const LoadProgress = Type.Object({
  error: Type.Optional(Type.String()),
  status: Type.Optional(Type.String()),
  stream: Type.Optional(Type.String()),
});
