import { expect, test } from "vitest";
import { defaultWorkspace, parseWorkspaceName, workspaceAddress } from "./workspace-address.ts";

test("a single word is a workspace of the default group", () => {
  expect(parseWorkspaceName("team-a")).toEqual({ ...defaultWorkspace, name: "team-a" });
});

test("three words name all parts", () => {
  expect(parseWorkspaceName("s/g/n")).toEqual({ subscriptionId: "s", resourceGroup: "g", name: "n" });
});

test.each(["", "/", "a/b", "a/b/c/d", "a//c"])("%j names none", (text) => {
  expect(parseWorkspaceName(text)).toBeUndefined();
});

test("parts of a name cannot change the path", () => {
  const address = workspaceAddress("https://host", { subscriptionId: "s", resourceGroup: "g", name: "../x?y" });
  expect(address.modelManagement).toBe(
    "https://host/modelmanagement/v1.0/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/..%2Fx%3Fy",
  );
});
