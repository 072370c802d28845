import { copyFile, mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timeProgram } from "./timed-program.ts";

/** What Azure ML's images serve with. */
export const SERVER = "azureml-inference-server-http==1.5.1";

/** The instructions that make layers, in this order, above the base. */
export const PLAIN_LAYERS = ["requirements", "packages", "server", "service"] as const;

export interface PlainImage {
  /** in the registry */
  readonly base: string;
  /** with exact versions */
  readonly requirements: string;
  readonly script: string;
  readonly model: string;
  /** where it is pushed to: `localhost:PORT/REPOSITORY:TAG` */
  readonly reference: string;
}

export interface RegistryLogin {
  /** `USER:PASSWORD` */
  readonly credentials: string;
  /** with the registry's ca.crt */
  readonly certificates: string;
}

/**
 * The Dockerfile that somebody writes who has no Slipway. The base has no pip, and its Python belongs to Debian: so pip runs from its
 * wheel, which is mounted while the image is built and costs it nothing, and is told that it may.
 */
const dockerfile = (base: string) => `FROM ${base}
USER 0
WORKDIR /app
COPY requirements.txt .
RUN ${pip("-r requirements.txt")}
RUN ${pip(SERVER)}
COPY score.py model.pkl ./
USER 1000
EXPOSE 5001
CMD ["azmlinfsrv", "--entry_script", "score.py", "--model_dir", ".", "--port", "5001"]
`;

const pip = (what: string) =>
  `--mount=type=bind,target=/context --mount=type=secret,id=pip,target=/etc/pip.conf python3 /context/pip.whl/pip install --break-system-packages ${what}`;

/**
 * Builds it by podman and pushes it. Commands run without a container (`chroot`) on the machine's network, with the machine's own
 * settings of the package index.
 */
export async function buildPlainImage(folder: string, image: PlainImage, login: RegistryLogin): Promise<void> {
  const context = join(folder, "context");
  await mkdir(context, { recursive: true });
  await writeFile(join(context, "Dockerfile"), dockerfile(image.base));
  await writeFile(join(context, "requirements.txt"), image.requirements);
  await copyFile(image.script, join(context, "score.py"));
  await copyFile(image.model, join(context, "model.pkl"));
  await timeProgram(["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", context, "pip"]);
  const wheel = (await readdir(context)).find((name) => name.endsWith(".whl")) ?? "";
  await rename(join(context, wheel), join(context, "pip.whl"));

  const settings = join(folder, "pip.conf");
  await writeFile(settings, `[global]\n${(await indexSettings()).join("\n")}\n`, { mode: 0o600 });
  // Copies instead of mounts: slower, but nothing is left mounted when the benchmark is interrupted.
  const storage = ["--root", join(folder, "storage"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
  const podman = ["podman", ...storage, "--cgroup-manager", "cgroupfs", "--events-backend", "file"];
  const registry = ["--creds", login.credentials, "--cert-dir", login.certificates];
  const place = ["--isolation", "chroot", "--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"];
  const secret = ["--secret", `id=pip,src=${settings}`];
  await timeProgram([...podman, "build", ...registry, ...place, ...secret, "--tag", image.reference, context]);
  await timeProgram([...podman, "push", "--quiet", ...registry, image.reference]);
}

/** The index and its certificates as pip on this machine has them, from files and variables. */
async function indexSettings(): Promise<string[]> {
  const { output } = await timeProgram(["python3", "-m", "pip", "config", "list"]);
  return ["index-url", "extra-index-url", "trusted-host", "cert"].flatMap((name) => {
    const values = output.split("\n").flatMap((line) => new RegExp(`\\.${name}='(.*)'$`).exec(line)?.[1] ?? []);
    const [last] = values.toReversed();
    return last === undefined ? [] : [`${name} = ${last}`];
  });
}
