import type { Cause } from "@slipway/api";

export function machineRestarted(): Cause {
  return { code: "MachineRestarted", message: "The machine was restarted; the replica has not been started since." };
}

/** The scorer ended without saying why: what it printed last is the best that there is. */
export function scorerEnded(output: string, exit: { exitCode?: number; signal?: string } = {}): Cause {
  const how = exit.signal
    ? `killed by ${exit.signal}`
    : exit.exitCode === undefined
      ? ""
      : `exit code ${exit.exitCode}`;
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const said = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
  const message = [`The scorer ended unexpectedly${how && ` (${how})`}`, said?.trim()].filter(Boolean).join(": ");
  return {
    code: "ScorerEnded",
    message: `${message.replace(/\.$/, "")}.`,
    nextAction: "It is started again. If it ends again, look at the logs and at the machine's memory.",
    ...(lines.length > 0 ? { traceback: lines.slice(-20).join("\n") } : {}),
    ...exit,
  };
}

export function scorerOutOfMemory(limitBytes: number): Cause {
  return {
    code: "OutOfMemory",
    message: `The replica was stopped because it used more memory than the service may (limit ${Math.round(limitBytes / (1024 * 1024))} MiB).`,
    nextAction: "Give the service more memory (memory_gb), or load a smaller model.",
    signal: "SIGKILL",
  };
}

export function startTooSlow(startTimeoutMs: number): Cause {
  return {
    code: "StartTimeout",
    message: `The replica was not ready ${Math.round(startTimeoutMs / 100) / 10} s after its start.`,
    nextAction: "Look at the logs for what init() does, and load less in init() or allow more time.",
  };
}

export function scorerSilent(): Cause {
  return {
    code: "ScorerSilent",
    message: "The scorer's process runs, but does not answer on its socket.",
    nextAction: "It is replaced by a new one.",
  };
}
