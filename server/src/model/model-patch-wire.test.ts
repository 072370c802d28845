import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ModelEdit } from "./model.ts";
import { applyModelPatch } from "./model-patch-wire.ts";

const model: ModelEdit = {
  description: "d",
  tags: { a: "1", "x/y~z": "2" },
  properties: {},
  datasets: [{ name: "training", id: "d1" }],
  sampleInputData: null,
  sampleOutputData: null,
  resourceRequirements: { cpu: 1, memoryInGB: 2, gpu: null },
};

describe("a patch", () => {
  it.each([
    [{ op: "replace", path: "/kvTags", value: { b: true } }, { tags: { b: "true" } }],
    [{ op: "replace", path: "/kvTags", value: null }, { tags: {} }],
    [{ op: "add", path: "/kvTags", value: { b: "2" } }, { tags: { ...model.tags, b: "2" } }],
    [{ op: "add", path: "/kvTags/b", value: 2 }, { tags: { ...model.tags, b: "2" } }],
    [{ op: "replace", path: "/kvTags/new", value: "2" }, { tags: { ...model.tags, new: "2" } }],
    [{ op: "remove", path: "/kvTags/x~1y~0z" }, { tags: { a: "1" } }],
    [{ op: "remove", path: "/kvTags" }, { tags: {} }],
    [
      { op: "add", path: "/properties/__proto__", value: "p" },
      { properties: Object.fromEntries([["__proto__", "p"]]) },
    ],
    [{ op: "remove", path: "/description" }, { description: null }],
    [{ op: "replace", path: "/sampleInputData", value: [[1, 2]] }, { sampleInputData: "[[1,2]]" }],
    [{ op: "remove", path: "/resourceRequirements" }, { resourceRequirements: null }],
    [
      { op: "add", path: "/datasets", value: [{ name: "test", id: "d2" }] },
      { datasets: [...model.datasets, { name: "test", id: "d2" }] },
    ],
    [{ op: "add", path: "/datasets", value: model.datasets }, { datasets: model.datasets }],
    [
      { op: "add", path: "/datasets/-", value: { name: "test", id: "d2" } },
      { datasets: [...model.datasets, { name: "test", id: "d2" }] },
    ],
    [{ op: "replace", path: "/datasets", value: [] }, { datasets: [] }],
    [{ op: "remove", path: "/datasets" }, { datasets: [] }],
  ])("%j", (operation, change) => {
    expect(applyModelPatch(model, [operation])).toEqual({ ...model, ...change });
  });

  it.each([
    [{ op: "test", path: "/description", value: "d" }, "only add, replace and remove"],
    [{ op: "move", path: "/description", from: "/kvTags" }, "only add, replace and remove"],
    [{ op: "replace", path: "/description" }, "it has no value"],
    [{ op: "replace", path: "/description", value: 5 }, "its value"],
    [{ op: "replace", path: "/name", value: "x" }, "only kvTags"],
    [{ op: "replace", path: "/__proto__", value: {} }, "only kvTags"],
    [{ op: "replace", path: "", value: {} }, "only kvTags"],
    [{ op: "replace", path: "description", value: "x" }, "no such path"],
    [{ op: "replace", path: "/kvTags/a/b", value: "x" }, "no such path"],
    [{ op: "replace", path: "/description/x", value: "x" }, "no such path"],
    [{ op: "replace", path: "/datasets/0", value: {} }, "no such path"],
    [{ op: "remove", path: "/kvTags/missing" }, "nothing to remove"],
    [{ op: "add", path: "/kvTags/b", value: { c: 1 } }, "its value"],
    [{ op: "replace", path: "/kvTags", value: { a: ["x"] } }, "its value.a"],
    [{ op: "replace", path: "/kvTags", value: { ["k".repeat(300)]: "x" } }, "printable characters"],
    [{ op: "replace", path: "/resourceRequirements", value: { cpu: "2" } }, "its value.cpu"],
    [{ op: "add", path: "/datasets", value: [{ id: 1 }] }, "its value"],
  ])("is refused with operation and path: %j", (operation, part) => {
    expect(() => applyModelPatch(model, [{ op: "remove", path: "/sampleInputData" }, operation])).toThrow(
      expect.objectContaining({
        code: "ModelPatchInvalid",
        kind: "invalid",
        message: expect.stringMatching(
          new RegExp(`^Operation 1 of the patch \\("${operation.op}" on .*${part.replaceAll(".", "\\.")}`, "s"),
        ),
      }),
    );
  });

  it("never fails in any other way, and never touches the model it was given", () => {
    const frozen = structuredClone(model);
    const segment = fc.constantFrom("kvTags", "properties", "datasets", "description", "__proto__", "-", "0", "~1", "");
    const operation = fc.record({
      op: fc.constantFrom("add", "replace", "remove", "test"),
      path: fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`),
      value: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 4 }), (operations) => {
        try {
          applyModelPatch(model, operations);
        } catch (error) {
          expect(error).toMatchObject({ code: "ModelPatchInvalid" });
        }
        expect(model).toEqual(frozen);
      }),
    );
  });
});
