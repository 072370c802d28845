import type { Service } from "@slipway/client";
import { age, printable, tagList } from "./format.ts";
import { stateWord } from "./state-word.ts";
import { facts } from "./table.ts";

export const serviceHeadings = ["SERVICE", "STATE", "IMAGE", "AGE", "SCORING ADDRESS"] as const;

export function serviceRow(service: Service): string[] {
  return [
    service.name,
    stateWord(service.state),
    service.imageId,
    age(service.createdTime, Date.now()),
    printable(service.scoringUri),
  ];
}

/** "2 (1 to 4 by load)", "asleep (0 to 2 by load)"; nothing for the usual one. */
function replicas({ numReplicas, autoScaler }: Service): string | undefined {
  if (numReplicas === undefined) return undefined;
  const now = numReplicas === 0 ? "asleep" : String(numReplicas);
  if (autoScaler?.autoscaleEnabled !== true) return now;
  return `${now} (${autoScaler.minReplicas} to ${autoScaler.maxReplicas} by load)`;
}

export function describeService(service: Service): string {
  const resources = service.containerResourceRequirements;
  return facts([
    ["Service", service.name],
    ["State", stateWord(service.state)],
    ["Error", service.error === null ? undefined : `${printable(service.error.message)} (${service.error.code})`],
    ["Image", service.imageId],
    ["Scoring", printable(service.scoringUri)],
    ["Key needed", service.authEnabled === undefined ? undefined : service.authEnabled ? "yes" : "no"],
    ["Replicas", replicas(service)],
    ["Resources", resources && `${resources.cpu ?? "default"} CPU, ${resources.memoryInGB ?? "default"} GB`],
    ["Description", service.description === null ? undefined : printable(service.description)],
    ["Tags", printable(tagList(service.kvTags))],
    ["Created", service.createdTime],
    ["Updated", service.updatedTime],
  ]);
}
