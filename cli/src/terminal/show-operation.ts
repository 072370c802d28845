import type { Operation } from "@slipway/client";
import { age, duration, printable } from "./format.ts";
import { stateWord } from "./state-word.ts";
import { facts } from "./table.ts";

export const operationHeadings = ["OPERATION", "TYPE", "STATE", "FOR", "STARTED", "TOOK"] as const;

export function operationRow(operation: Operation): string[] {
  return [
    operation.id,
    operation.operationType,
    stateWord(operation.state),
    printable(subject(operation)),
    age(operation.createdTime, Date.now()),
    took(operation),
  ];
}

export function describeOperation(operation: Operation): string {
  return facts([
    ["Operation", operation.id],
    ["Type", operation.operationType],
    ["State", stateWord(operation.state)],
    ["For", printable(subject(operation))],
    ["Started", operation.createdTime],
    ["Took", took(operation)],
    ["Error", operation.error === null ? undefined : `${printable(operation.error.message)} (${operation.error.code})`],
  ]);
}

/** The last segment of the resource it works on: an image's or a service's name. */
function subject(operation: Operation): string {
  return decodeURIComponent(operation.resourceLocation?.split("/").at(-1) ?? "");
}

function took(operation: Operation): string {
  if (operation.endTime === null) return "";
  return duration(Date.parse(operation.endTime) - Date.parse(operation.createdTime));
}
