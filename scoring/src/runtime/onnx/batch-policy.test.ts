import { describe, expect, it } from "vitest";
import { batchPolicy } from "./batch-policy.ts";

const quick = { singleMs: 0.02, maxRows: 64, fixedMs: 0.015 };
const slow = { singleMs: 10, maxRows: 8, fixedMs: 8 };
const alone = { singleMs: 10, maxRows: 1, fixedMs: 0 };

/** A policy that has seen requests come in this distance. */
function policyAfter(betweenMs: number) {
  const policy = batchPolicy();
  for (let index = 0; index < 50; index += 1) policy.arrived(index * betweenMs);
  return policy;
}

describe("how many go together", () => {
  it("is what the model showed, or what takes some milliseconds one by one", () => {
    const policy = batchPolicy();
    expect([quick, slow, alone].map(policy.limit)).toEqual([64, 8, 1]);
    expect(policy.limit({ singleMs: 1, maxRows: 1, fixedMs: 0 })).toBe(4);
    expect(policy.limit({ singleMs: 0.001, maxRows: 1, fixedMs: 0 })).toBe(32);
    expect(policy.limit({ singleMs: undefined, maxRows: 1, fixedMs: 0 })).toBe(1);
  });
});

describe("waiting for more", () => {
  it("pays where runs cost much and requests come fast, and is bounded", () => {
    const policy = policyAfter(1);
    expect(policy.wait(slow, 1, 100, 100)).toBe(4);
    expect(policy.wait(slow, 1, 100, 101.5)).toBe(2.5);
    expect(policy.wait(slow, 1, 100, 103.5)).toBe(0);
    expect(policy.wait(slow, 8, 100, 100)).toBe(0);
  });

  it("does not pay for quick models, without batches, or when nobody comes", () => {
    expect(policyAfter(1).wait(quick, 1, 100, 100)).toBe(0);
    expect(policyAfter(1).wait(alone, 1, 100, 100)).toBe(0);
    expect(policyAfter(20).wait(slow, 1, 100, 100)).toBe(0);
    expect(batchPolicy().wait(slow, 1, 100, 100)).toBe(0);
  });

  it("is over soon after requests have become rare", () => {
    const policy = policyAfter(1);
    for (let index = 0; index < 3; index += 1) policy.arrived(1_000 * (index + 1));
    expect(policy.wait(slow, 1, 3_000, 3_000)).toBe(0);
  });
});
