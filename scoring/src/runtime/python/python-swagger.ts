import type { ScorerSettings } from "../../config.ts";
import { openApi } from "../../swagger.ts";
import type { ReadyReport } from "./python-worker.ts";

/** Without an example: one that the script did not give would be tried before a deployment gets traffic, and fail there. */
const ANY_JSON = { description: "Any JSON: this service tells nothing more about it." };

/** The image's own document, else one from the script's inference-schema, else one that allows any JSON. */
export function pythonSwagger(config: ScorerSettings, report: ReadyReport | undefined): unknown {
  if (report?.swagger !== undefined) return report.swagger;
  return openApi(config, { input: report?.inputSchema ?? ANY_JSON, output: report?.outputSchema ?? ANY_JSON });
}
