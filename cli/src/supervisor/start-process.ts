import { type ChildProcess, type SendHandle, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import type { Stream } from "node:stream";

/** Number of the inherited socket in the child: after its three streams and the channel. */
export const INHERITED_SOCKET = 4;

/** Own process group: Ctrl-C in the terminal reaches the supervisor alone, which stops its children in order. */
export function startProcess(
  name: string,
  args: readonly string[],
  logs: string,
  { nodeOptions, socket }: { readonly nodeOptions?: string; readonly socket?: SendHandle | undefined } = {},
): ChildProcess {
  const output = openSync(
    join(logs, `${name}.log`),
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
    0o600,
  );
  // What comes back is a folder in it, for this version of Node.
  const compiled = getCompileCacheDir();
  // Node takes whatever has a descriptor; its types know streams only.
  const inherited = socket === undefined ? [] : [socket as unknown as Stream];
  try {
    return spawn(process.execPath, [...process.execArgv, ...args], {
      detached: true,
      stdio: ["ignore", output, output, "ipc", ...inherited],
      env: {
        ...(compiled !== undefined && { NODE_COMPILE_CACHE: dirname(compiled) }),
        ...process.env,
        NODE_OPTIONS: [process.env.NODE_OPTIONS, nodeOptions].filter(Boolean).join(" "),
      },
    });
  } finally {
    closeSync(output);
  }
}
