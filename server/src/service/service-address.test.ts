import { expect, it } from "vitest";
import type { Workspace } from "../workspace/index.ts";
import { createServiceAddresses } from "./service-address.ts";

const workspace = (id: string, name: string, resourceGroup = "rg"): Workspace => ({
  id,
  name,
  resourceGroup,
  subscriptionId: "11111111-1111-1111-1111-111111111111",
  createdAt: "2026-11-22T10:00:00Z",
});
const all = [
  {
    ...workspace("00000000-a", "default", "slipway"),
    subscriptionId: "00000000-0000-0000-0000-000000000000",
  },
  workspace("11111111-b", "team"),
  workspace("22222222-c", "team", "other"),
];
const addresses = createServiceAddresses({ list: async () => all }, "https://localhost:8444");

it("is short in the default workspace and names the others", async () => {
  expect(await addresses("00000000-a", "digits")).toEqual({
    basePath: "/api/v1/service/digits",
    scoringUri: "https://localhost:8444/api/v1/service/digits/score",
  });
  expect((await addresses("11111111-b", "digits")).basePath).toBe("/w/team/api/v1/service/digits");
});

it("is never the same for workspaces of one name in two resource groups", async () => {
  expect((await addresses("22222222-c", "digits")).basePath).toBe("/w/team-22222222/api/v1/service/digits");
});
