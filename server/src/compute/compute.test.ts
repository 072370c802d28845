import { expect, it } from "vitest";
import { computeTargets, parseComputeType } from "./compute.ts";
import { computeNotConfigured } from "./compute-errors.ts";

it("maps compute types to targets; the installation decides how container instances run", () => {
  expect(computeTargets("process")).toEqual({ ACI: "process", AKS: "kubernetes", IOT: "edge", FPGA: "accelerator" });
  expect(computeTargets("container").ACI).toBe("container");
});

it("knows compute types in any case, and nothing else", () => {
  expect(parseComputeType("aci")).toBe("ACI");
  expect(parseComputeType("VM")).toBeUndefined();
  expect(parseComputeType("constructor")).toBeUndefined();
});

it("says what to do without the target", () => {
  expect(computeNotConfigured("AKS", "kubernetes")).toMatchObject({
    kind: "unsupported",
    message: expect.stringContaining("AciWebservice.deploy_configuration"),
  });
});
