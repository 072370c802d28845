import { access, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoCode } from "./errors.ts";

export interface CgroupLimits {
  readonly memoryBytes: number;
  /** CPUs: a weight against others, not a quota */
  readonly cpu: number;
}

export interface Cgroup {
  /** folders that a process must join, one for each hierarchy */
  readonly folders: readonly string[];
  /** the one that holds the memory limit and its counters */
  readonly memoryFolder: string;
}

/** Limits by the kernel. Names are single path segments; everything is idempotent. */
export interface Cgroups {
  readonly memory: "cgroup-v2" | "cgroup-v1";
  /** whether shares of the CPU are enforced, too */
  readonly cpu: boolean;
  create(name: string, limits: CgroupLimits): Promise<Cgroup>;
  /** How many processes the kernel has killed in it for memory; 0 when there is no such group. */
  memoryKills(name: string): Promise<number>;
  /** Kills what still runs in it and removes it. */
  remove(name: string): Promise<void>;
}

export interface CgroupOptions {
  /** path segments under which all groups of this installation lie */
  readonly group: readonly string[];
  readonly root?: string;
}

/** @returns undefined when this process may not make memory cgroups here */
export async function detectCgroups(options: CgroupOptions): Promise<Cgroups | undefined> {
  const root = options.root ?? "/sys/fs/cgroup";
  return (await detectV2(root, options.group)) ?? (await detectV1(root, options.group));
}

async function detectV2(root: string, group: readonly string[]): Promise<Cgroups | undefined> {
  // A mounted v2 tree proves nothing: its controllers may be bound to v1 hierarchies.
  const controllers = (await readIfAllowed(join(root, "cgroup.controllers")))?.split(/\s+/) ?? [];
  if (!controllers.includes("memory")) return undefined;
  for (const parent of await v2Parents(root)) {
    for (const cpu of controllers.includes("cpu") ? [true, false] : [false]) {
      const cgroups = v2Cgroups(parent, group, cpu);
      if (await works(cgroups)) return cgroups;
    }
  }
  return undefined;
}

/** The root of the hierarchy for root, else the part that a service manager gave us. */
async function v2Parents(root: string): Promise<readonly string[]> {
  const own = (await readIfAllowed("/proc/self/cgroup"))?.match(/^0::(\/.*)$/m)?.[1];
  return own === undefined || own === "/" ? [root] : [root, join(root, own)];
}

/** Hands the controllers down to the group's folder: a folder has limits only if all above it pass the controller on. */
async function delegate(parent: string, group: readonly string[], controllers: readonly string[]): Promise<string> {
  let folder = parent;
  for (const segment of ["", ...group]) {
    folder = join(folder, segment);
    await mkdir(folder, { recursive: true });
    for (const controller of controllers) await enable(folder, controller);
  }
  return folder;
}

async function enable(folder: string, controller: string): Promise<void> {
  const file = join(folder, "cgroup.subtree_control");
  if ((await readFile(file, "utf8")).split(/\s+/).includes(controller)) return;
  await writeFile(file, `+${controller}`);
}

function v2Cgroups(parent: string, group: readonly string[], cpu: boolean): Cgroups {
  return {
    memory: "cgroup-v2",
    cpu,
    async create(name, limits) {
      const folder = await delegate(parent, group, cpu ? ["memory", "cpu"] : ["memory"]);
      const own = await makeFolder(folder, name);
      await writeFile(join(own, "memory.max"), String(limits.memoryBytes));
      await writeIfThere(join(own, "memory.swap.max"), "0");
      if (cpu) await writeFile(join(own, "cpu.weight"), String(clamp(Math.round(100 * limits.cpu), 1, 10_000)));
      return { folders: [own], memoryFolder: own };
    },
    memoryKills: (name) => kernelKills(join(parent, ...group, name, "memory.events")),
    remove: (name) => removeFolder(join(parent, ...group, name)),
  };
}

async function detectV1(root: string, group: readonly string[]): Promise<Cgroups | undefined> {
  const memory = join(root, "memory");
  if ((await readIfAllowed(join(memory, "memory.limit_in_bytes"))) === undefined) return undefined;
  const cpu = (await readIfAllowed(join(root, "cpu", "cpu.shares"))) === undefined ? undefined : join(root, "cpu");
  const withCpu = v1Cgroups(join(memory, ...group), cpu && join(cpu, ...group));
  if (await works(withCpu)) return withCpu;
  const memoryOnly = v1Cgroups(join(memory, ...group), undefined);
  return (await works(memoryOnly)) ? memoryOnly : undefined;
}

function v1Cgroups(memory: string, cpu: string | undefined): Cgroups {
  return {
    memory: "cgroup-v1",
    cpu: cpu !== undefined,
    async create(name, limits) {
      const memoryFolder = await makeFolder(memory, name);
      await limitMemoryV1(memoryFolder, String(limits.memoryBytes));
      if (cpu === undefined) return { folders: [memoryFolder], memoryFolder };
      const cpuFolder = await makeFolder(cpu, name);
      await writeFile(join(cpuFolder, "cpu.shares"), String(clamp(Math.round(1024 * limits.cpu), 2, 262_144)));
      return { folders: [memoryFolder, cpuFolder], memoryFolder };
    },
    memoryKills: (name) => kernelKills(join(memory, name, "memory.oom_control")),
    async remove(name) {
      await removeFolder(join(memory, name));
      if (cpu !== undefined) await removeFolder(join(cpu, name));
    },
  };
}

async function kernelKills(file: string): Promise<number> {
  return Number(/^oom_kill (\d+)$/m.exec((await readIfAllowed(file)) ?? "")?.[1] ?? 0);
}

/** The kernel wants memory ≤ memory + swap at every moment, so a limit that rises is written from above, one that falls from below. */
async function limitMemoryV1(folder: string, bytes: string): Promise<void> {
  const both = join(folder, "memory.memsw.limit_in_bytes");
  await writeIfThere(both, "-1");
  await writeFile(join(folder, "memory.limit_in_bytes"), bytes);
  await writeIfThere(both, bytes);
}

async function works(cgroups: Cgroups): Promise<boolean> {
  const name = `probe-${process.pid}`;
  try {
    await cgroups.create(name, { memoryBytes: 64 * 1024 * 1024, cpu: 1 });
    return true;
  } catch {
    return false;
  } finally {
    await cgroups.remove(name).catch(() => undefined);
  }
}

/** A command that joins the group before it becomes `command`, so that no child can slip out between start and join. */
export function joinCgroup(cgroup: Cgroup, command: readonly string[]): readonly string[] {
  const count = cgroup.folders.length;
  const joins = cgroup.folders.map((_, index) => `echo 0 > "$${index + 1}/cgroup.procs"`).join(" && ");
  return ["/bin/sh", "-c", `${joins} && shift ${count} && exec "$@"`, "sh", ...cgroup.folders, ...command];
}

async function makeFolder(parent: string, name: string): Promise<string> {
  const folder = join(parent, name);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    // Another call may have removed the empty parent in between.
    if (errnoCode(error) !== "ENOENT") throw error;
    await mkdir(folder, { recursive: true });
  }
  return folder;
}

async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const pids = (await readIfAllowed(join(folder, "cgroup.procs")))?.split("\n").map(Number) ?? [];
    // 0 stands for a process of another pid namespace; for kill it would mean our own group.
    for (const pid of pids) if (pid > 0) kill(pid);
    try {
      await rmdir(folder);
      return await removeIfEmpty(dirname(folder));
    } catch (error) {
      if (errnoCode(error) === "ENOENT") return;
      if (errnoCode(error) !== "EBUSY") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The control group ${folder} could not be removed: a process in it does not end.`);
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errnoCode(error) !== "ESRCH") throw error;
  }
}

async function writeIfThere(file: string, text: string): Promise<void> {
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (there) await writeFile(file, text);
}

async function readIfAllowed(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
