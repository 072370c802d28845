import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCommand } from "./child-process.ts";
import { detectIsolation, type Isolation, SAFE_ENV, type SandboxRequest } from "./sandbox.ts";

const signal = () => AbortSignal.timeout(30_000);
const detect = (kinds: readonly Isolation["kind"][], reach: readonly string[] = []) =>
  detectIsolation({ probeCommand: ["/bin/sh", "-c", ":"], reach, hidden: [], kinds, signal: signal() });
const isRoot = process.getuid?.() === 0;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  await mkdir(join(folder, "app"));
  await writeFile(join(folder, "secret"), "the secret", { mode: 0o644 });
  await writeFile(join(folder, "app", "own"), "its own", { mode: 0o644 });
});
afterEach(() => rm(folder, { recursive: true }));

function request(script: string, changes: Partial<SandboxRequest> = {}): SandboxRequest {
  return {
    command: ["/bin/sh", "-c", script],
    env: { ...SAFE_ENV, GREETING: "it's\n$HOME" },
    owner: "one",
    readable: [join(folder, "app")],
    workingFolder: join(folder, "app"),
    home: join(folder, "home"),
    ...changes,
  };
}

async function run(isolation: Isolation, script: string, changes?: Partial<SandboxRequest>): Promise<string> {
  const command = await isolation.wrap(request(script, changes));
  const { stdout, tail, exitCode } = await runCommand(command, { env: SAFE_ENV, signal: signal() });
  return exitCode === 0 ? stdout : `exit code ${exitCode}: ${tail.join("\n")}`;
}

const bubblewrap = await detect(["bubblewrap"]);

describe.skipIf(bubblewrap.kind !== "bubblewrap")("bubblewrap", () => {
  test("a program sees its own files and no others, whatever their modes are", async () => {
    expect(await run(bubblewrap, "cat own")).toBe("its own\n");
    expect(await run(bubblewrap, `cat ${folder}/secret`)).toContain("No such file");
    expect(await run(bubblewrap, "ls -A /root /home/user /etc/shadow 2>&1; true")).not.toContain("bashrc");
  });

  test("it may write to its home, /tmp and /dev/shm, and nowhere else", async () => {
    expect(await run(bubblewrap, 'echo x > "$HOME/a" && echo x > /tmp/a && echo x > /dev/shm/a && echo all')).toBe(
      "all\n",
    );
    expect(await run(bubblewrap, `echo x > ${folder}/app/own; cat own`)).toBe("its own\n");
    expect(await run(bubblewrap, "echo x > /usr/a || echo refused")).toBe("refused\n");
  });

  test("it sees no process but its own", async () => {
    expect(await run(bubblewrap, `ls -d /proc/${process.pid} 2>/dev/null; ls -d /proc/[0-9]* | wc -l`)).toMatch(
      /^[0-9]\n$/,
    );
  });

  test.runIf(isRoot)("it has no user id of ours, no group, and no way to more rights", async () => {
    expect(Number(await run(bubblewrap, "id -u"))).toBeGreaterThan(20_000);
    expect(await run(bubblewrap, "id -u")).toBe(await run(bubblewrap, "id -u"));
    expect(await run(bubblewrap, "id -u")).not.toBe(await run(bubblewrap, "id -u", { owner: "two" }));
    expect(
      await run(bubblewrap, "grep -E '^(Groups|CapEff|CapBnd|NoNewPrivs):' /proc/self/status | tr -d '\\t '"),
    ).toBe("Groups:\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\n");
  });
});

describe.runIf(isRoot)("another user id without bubblewrap", () => {
  test("a program runs under its own id, with a home of its own", async () => {
    const isolation = await detect(["user"]);
    expect(isolation).toMatchObject({ kind: "user", changesUser: true });
    const [user = "", home = "", owner = ""] = (await run(isolation, 'id -u; echo "$HOME"; stat -c %u "$HOME"')).split(
      "\n",
    );
    expect(Number(user)).toBeGreaterThan(20_000);
    expect(owner).toBe(user);
    await isolation.discardHome(join(folder, "home"));
    await expect(stat(home)).rejects.toThrow("ENOENT");
  });

  test("it is refused when it could not reach what it needs, naming the folder", async () => {
    const isolation = await detect(["user"], ["/usr", join(folder, "app")]);
    expect(isolation.kind).toBe("none");
    expect(isolation.description).toContain(`it may not enter ${folder}/app`);
    expect(isolation.description).toContain("NOT isolated");
  });
});

describe("every kind", () => {
  const kinds = [["bubblewrap", "user"], ["user"], []] as const;

  test.each(kinds.map((kind) => [kind]))("%j hands variables over as they are", async (kind) => {
    const isolation = await detect(kind);
    expect(await run(isolation, 'printf "%s" "$GREETING"')).toContain("it's\n$HOME");
    await isolation.discardHome(join(folder, "home"));
  });

  test.each(kinds.map((kind) => [kind]))("%j makes the home anew, and follows no link in it", async (kind) => {
    const victim = join(folder, "victim");
    await writeFile(victim, "untouched");
    await mkdir(join(folder, "home"));
    await symlink(victim, join(folder, "home", ".environment"));
    const isolation = await detect(kind);
    await run(isolation, ":");
    await rm(join(folder, "home"), { recursive: true });
    await symlink(folder, join(folder, "home"));
    await run(isolation, ":");
    await isolation.discardHome(join(folder, "home"));
    expect(await readFile(victim, "utf8")).toBe("untouched");
  });

  test.each([["a.b"], ["1A"], [""], ["A=B"]])("the variable name %j is refused", async (name) => {
    const isolation = await detect([]);
    await expect(isolation.wrap(request(":", { env: { [name]: "x" } }))).rejects.toMatchObject({
      code: "EnvironmentVariableInvalid",
    });
  });

  test("without isolation it says so, and what to do", async () => {
    const { kind, description } = await detect([]);
    expect(kind).toBe("none");
    expect(description).toMatch(/NOT isolated.*Install bubblewrap/);
  });
});
