import { join } from "node:path";
import { repository } from "../../../e2e/src/harness/installation.ts";
import { sdk, trusting } from "../../../e2e/src/harness/sdk.ts";
import { startSlipway } from "../measure/started-slipway.ts";
import { dataBody } from "../measure/trained-model.ts";
import type { Contender, ScoringAddress, Stage } from "./contender.ts";

const SERVICE = "ridge";

interface GatewayOptions {
  /** what `slipway service deploy` is given; a model with the script and scikit-learn if not given */
  readonly deploy?: (stage: Stage) => readonly string[];
  readonly cpu?: number;
  readonly memoryGiB?: number;
  readonly predictions?: ScoringAddress["predictions"];
}

/** The way of every scoring request: TLS and key at the gateway, frames to the scorer, a worker for each core. */
export function slipwayGateway(options: GatewayOptions = {}): Contender {
  const { deploy = modelAndScript, cpu = 1, memoryGiB = 1, predictions } = options;
  return {
    name: "Slipway, with TLS and key",
    async start(stage) {
      const slipway = await startSlipway(stage.context);
      const settings = ["--auth", "--cpu", String(cpu), "--memory", String(memoryGiB)];
      const { code, output } = await slipway.slipway(["service", "deploy", SERVICE, ...deploy(stage), ...settings]);
      if (code !== 0) throw new Error(`the deployment failed: ${output}`);
      const client = await sdk(slipway);
      const { primaryKey } = await client.services.keys(SERVICE);
      return {
        url: `${slipway.gatewayUrl}/api/v1/service/${SERVICE}/score`,
        body: dataBody(stage.model),
        authorization: `Bearer ${primaryKey}`,
        caFile: join(slipway.dataFolder, "tls/ca.pem"),
        fetch: await trusting(slipway),
        ...(predictions !== undefined && { predictions }),
      };
    },
  };
}

function modelAndScript({ model, folder }: Stage): readonly string[] {
  const environment = join(repository, "examples/diabetes/myenv.yml");
  return ["--model", model.file, "--script", join(folder, "score.py"), "--conda", environment];
}
