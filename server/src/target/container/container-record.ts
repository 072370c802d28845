import { type Static, Type } from "typebox";
import { parseFile } from "../../platform/parse-file.ts";
import { recordFiles, startFields } from "../replica/start-record.ts";

/** `container.json`: what the target knows of a replica's container. Written between its creation and its start. */
export const ContainerRecord = Type.Object({
  ...startFields,
  containerId: Type.String(),
  framesSocket: Type.String(),
  httpSocket: Type.String(),
  memoryBytes: Type.Integer(),
  startTimeoutMs: Type.Integer(),
  /** of this machine: after another boot nothing of this start runs */
  bootId: Type.String(),
});
export type ContainerRecord = Readonly<Static<typeof ContainerRecord>>;

export const { readRecord, writeRecord, updateRecord } = recordFiles<ContainerRecord>((text) =>
  parseFile(ContainerRecord, text),
);
