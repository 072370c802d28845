import { join } from "node:path";
import { repository } from "../../../e2e/src/harness/installation.ts";
import { sdk, trusting } from "../../../e2e/src/harness/sdk.ts";
import { startSlipway } from "../measure/started-slipway.ts";
import { type Contender, dataBody } from "./contender.ts";

const SERVICE = "ridge";

/** The way of every scoring request: TLS and key at the gateway, frames to the scorer, one Python worker. */
export const slipwayGateway: Contender = {
  name: "Slipway, with TLS and key",
  async start({ context, model, folder }) {
    const slipway = await startSlipway(context);
    const what = ["--model", model.file, "--script", join(folder, "score.py")];
    const environment = ["--conda", join(repository, "examples/diabetes/myenv.yml")];
    const settings = ["--auth", "--cpu", "1", "--memory", "1"];
    const { code, output } = await slipway.slipway([
      "service",
      "deploy",
      SERVICE,
      ...what,
      ...environment,
      ...settings,
    ]);
    if (code !== 0) throw new Error(`the deployment failed: ${output}`);
    const client = await sdk(slipway);
    const { primaryKey } = await client.services.keys(SERVICE);
    return {
      url: `${slipway.gatewayUrl}/api/v1/service/${SERVICE}/score`,
      body: dataBody(model),
      authorization: `Bearer ${primaryKey}`,
      fetch: await trusting(slipway),
    };
  },
};
