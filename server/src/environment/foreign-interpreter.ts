import { ownArchitecture } from "../platform/architecture.ts";
import type { Interpreter } from "./python-choice.ts";

/** As wheels name processors. */
const MACHINES: ReadonlyMap<string, string> = new Map([
  ["amd64", "x86_64"],
  ["arm64", "aarch64"],
]);
/** Distributions since 2018 have this C library or a newer one. */
const C_LIBRARY = "manylinux_2_28";

/**
 * An interpreter of this machine that stands for the same one elsewhere: packages are chosen for its architecture and compiled by
 * it, since bytecode is the same everywhere.
 */
export function interpreterFor(architecture: string | undefined, interpreter: Interpreter): Interpreter {
  const machine = MACHINES.get(architecture ?? "");
  if (machine === undefined || architecture === ownArchitecture()) return interpreter;
  return {
    ...interpreter,
    platform: `linux-${machine}`,
    foreign: { architecture: architecture ?? "", wheels: `${machine}-${C_LIBRARY}` },
  };
}

/** For uv, wherever it chooses or installs packages. */
export function platformArguments({ foreign }: Interpreter): readonly string[] {
  return foreign === undefined ? [] : ["--python-platform", foreign.wheels];
}
