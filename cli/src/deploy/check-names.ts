import { imageNames, modelNames, type NameRule, serviceNames } from "@slipway/api";
import { CliError } from "../cli-error.ts";

/** The server's own rules, asked before anything is uploaded or built. */
export const checkModelName = nameCheck("a model", "ModelNameInvalid", modelNames);
export const checkImageName = nameCheck("an image", "ImageNameInvalid", imageNames);
export const checkServiceName = nameCheck("a service", "ServiceNameInvalid", serviceNames);

function nameCheck(kind: string, code: string, rule: NameRule): (name: string) => void {
  return (name) => {
    if (rule.matches(name)) return;
    throw new CliError(code, "usage", `${JSON.stringify(name)} cannot be the name of ${kind}. It has ${rule.words}.`);
  };
}
