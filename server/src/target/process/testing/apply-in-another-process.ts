import { detectCgroups } from "../../../platform/cgroup.ts";
import { systemClock } from "../../../platform/clock.ts";
import { silentLog } from "../../../platform/log.ts";
import { detectIsolation } from "../../../platform/sandbox.ts";
import { createProcessTarget } from "../process-target.ts";

// Stands for a control plane that is killed in the middle of its work; prints a line for each step.
const signal = AbortSignal.timeout(60_000);
const { options, group, deployment } = JSON.parse(process.argv[2] ?? "");
const target = createProcessTarget({
  ...options,
  isolation: await detectIsolation({ probeCommand: ["true"], reach: [], hidden: [], signal }),
  cgroups: await detectCgroups({ group: ["slipway", group] }),
  log: silentLog,
  clock: systemClock,
});
await target.apply(deployment, { signal, say: (text) => process.stdout.write(`${text}\n`) });
