import type { Cause } from "@slipway/api";
import type { HttpRefusal } from "../http-edge.ts";
import { ScorerError } from "../scorer-errors.ts";

export const descriptionInvalid = (file: string, problem: string): ScorerError =>
  new ScorerError({
    code: "ImageDescriptionInvalid",
    message: `${file}, which says what this image runs, cannot be used: ${problem}.`,
    nextAction:
      "It is a part of every image that Slipway builds. Outside of one, give the scorer a run folder as its argument.",
  });

export const settingInvalid = (name: string, value: string, wanted: string): ScorerError =>
  new ScorerError({
    code: "SettingInvalid",
    message: `The variable ${name} is ${JSON.stringify(value.slice(0, 100))}, but must be ${wanted}.`,
    nextAction: `Start the container with another ${name}, or without it.`,
  });

export const keysTwice = (): ScorerError =>
  new ScorerError({
    code: "SettingInvalid",
    message: "SLIPWAY_KEYS and SLIPWAY_KEYS_FILE are both set.",
    nextAction: "Give the keys in one of them; the file is read again when it changes.",
  });

export const keysUnreadable = (file: string, reason: string): ScorerError =>
  new ScorerError({
    code: "KeysUnreadable",
    message: `The keys cannot be read from ${file} (SLIPWAY_KEYS_FILE): ${reason}.`,
    nextAction: "Mount a file with one key per line that the container's user may read.",
  });

const HOW_TO = "Send it in the header: Authorization: Bearer KEY.";

export const credentialMissing = (service: string): HttpRefusal =>
  refusal(401, {
    code: "CredentialMissing",
    message: `Service '${service}' needs a credential and none came.`,
    nextAction: HOW_TO,
  });

export const keyWrong = (service: string): HttpRefusal =>
  refusal(401, {
    code: "KeyWrong",
    message: `The key is not one of the keys of service '${service}'.`,
    nextAction: HOW_TO,
  });

const refusal = (status: number, cause: Cause): HttpRefusal => ({ status, cause });
