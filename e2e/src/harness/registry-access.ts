import { join } from "node:path";
import type { Installation } from "./installation.ts";

/** What an image client needs to push to and pull from the registry of the default workspace. */
export interface RegistryAccess {
  /** `localhost:PORT`; repositories lie below `default/` */
  readonly server: string;
  readonly username: string;
  readonly password: string;
  readonly caFile: string;
}

export async function registryAccess(installation: Installation): Promise<RegistryAccess> {
  const shown = await installation.slipway(["registry", "credentials", "show", "--output", "json"]);
  const { loginServer, username, passwords } = JSON.parse(shown.stdout) as {
    loginServer: string;
    username: string;
    passwords: { value: string }[];
  };
  const [password] = passwords;
  if (password === undefined) throw new Error(shown.output);
  return {
    server: loginServer,
    username,
    password: password.value,
    caFile: join(installation.dataFolder, "tls/ca.pem"),
  };
}
