import { readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { rootCertificates } from "node:tls";

/** How the genuine client signs in: the managed-identity address of this machine, or a service principal. */
export type GenuineSignIn =
  | { readonly kind: "identity"; readonly tokenUrl: string }
  | { readonly kind: "principal"; readonly clientId: string; readonly clientSecret: string };

export interface GenuineClientOptions {
  readonly url: string;
  readonly caPem: string;
  readonly signIn: GenuineSignIn;
  /** where the CA bundle and the client's own configuration are kept */
  readonly folder: string;
  /** the caller's environment: its own CA bundle and proxy exceptions are kept */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The environment that points the unmodified `azureml-core` at a server (wire contract, section 1). Writes the CA bundle: the caller's own
 * (or the public roots) plus ours.
 */
export async function genuineClientEnvironment(options: GenuineClientOptions): Promise<Record<string, string>> {
  const { url, env, folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const bundle = join(folder, "ca-bundle.pem");
  await writeFile(bundle, `${await ownBundle(env, bundle)}\n${options.caPem}`);
  const azureConfig = join(folder, "azure");
  await mkdir(azureConfig, { recursive: true });
  // The client would keep talking to an older address that it has written down here (wire contract 1.3).
  await rm(join(azureConfig, "cloudEndpoints.json"), { force: true });
  const host = new URL(url).hostname;
  const noProxy = [env["NO_PROXY"] ?? env["no_proxy"] ?? "", host].filter((part) => part !== "").join(",");
  return {
    ARM_CLOUD_METADATA_URL: `${url}/metadata/endpoints?api-version=2019-05-01`,
    AZUREML_CURRENT_CLOUD: "AzureCloud",
    ...signInVariables(options.signIn),
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    SSL_CERT_FILE: bundle,
    AZURE_CONFIG_DIR: azureConfig,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
  };
}

/** Variables of other sign-in ways that would go first. */
export const conflictingVariables = ["APPSETTING_WEBSITE_SITE_NAME", "MSI_SECRET"] as const;

function signInVariables(signIn: GenuineSignIn): Record<string, string> {
  if (signIn.kind === "identity") return { MSI_ENDPOINT: signIn.tokenUrl };
  return {
    AZUREML_SERVICE_PRINCIPAL_TENANT_ID: "adfs",
    AZUREML_SERVICE_PRINCIPAL_ID: signIn.clientId,
    AZUREML_SERVICE_PRINCIPAL_PASSWORD: signIn.clientSecret,
  };
}

async function ownBundle(env: GenuineClientOptions["env"], ours: string): Promise<string> {
  for (const variable of ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]) {
    const file = env[variable];
    // Inside another `slipway exec` the variable names a bundle that has our CA already.
    if (file === undefined || file === "" || resolve(file) === resolve(ours)) continue;
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      throw new Error(`${variable} names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code}). Correct or unset it.`);
    }
  }
  return rootCertificates.join("\n");
}

export interface WorkspaceConfig {
  readonly file: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly name: string;
}

/** The workspace file that the client would find from this folder, upwards; undefined when there is none. */
export async function findWorkspaceConfig(from: string): Promise<WorkspaceConfig | undefined> {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    for (const name of [".azureml/config.json", "config.json", "aml_config/config.json"]) {
      const found = await readWorkspaceConfig(join(folder, name));
      if (found !== undefined) return found;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

async function readWorkspaceConfig(file: string): Promise<WorkspaceConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return undefined;
  }
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}. It needs subscription_id, resource_group and workspace_name.`);
  }
  const field = (name: string): string => {
    const value = fields[name];
    if (typeof value !== "string" || value === "") throw new Error(`${file} has no "${name}". It needs subscription_id, resource_group and workspace_name.`);
    return value;
  };
  // Another program's config.json is not the client's.
  if (!("subscription_id" in fields) && !("workspace_name" in fields)) return undefined;
  return { file, subscriptionId: field("subscription_id"), resourceGroup: field("resource_group"), name: field("workspace_name") };
}

/** Writes the workspace file that `Workspace.from_config()` looks for. */
export async function writeWorkspaceConfig(folder: string, workspace: Omit<WorkspaceConfig, "file">): Promise<string> {
  const file = join(folder, ".azureml", "config.json");
  await mkdir(dirname(file), { recursive: true });
  const fields = { subscription_id: workspace.subscriptionId, resource_group: workspace.resourceGroup, workspace_name: workspace.name };
  await writeFile(file, `${JSON.stringify(fields, undefined, 2)}\n`, { flag: "wx" });
  return file;
}
