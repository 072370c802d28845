import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { CliError } from "./cli-error.ts";

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
  const noProxy = [env.NO_PROXY ?? env.no_proxy ?? "", host].filter((part) => part !== "").join(",");
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

/** Variables of another sign-in way, which the client would take first. */
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
      throw new CliError(
        "CaNotReadable",
        "usage",
        `${variable} names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code}). Correct or unset it.`,
        error,
      );
    }
  }
  return rootCertificates.join("\n");
}
