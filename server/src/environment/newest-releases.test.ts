import { expect, test } from "vitest";
import { AppError } from "../platform/errors.ts";
import { preferNewestReleases } from "./newest-releases.ts";

const lockOf = (name: string, version: string) => `${name}==${version} \\\n    --hash=sha256:${"0".repeat(64)}\n`;
const unsolvable = () => new AppError({ code: "EnvironmentUnsolvable", kind: "invalid", message: "they conflict" });

test("an azureml package without a version is held at its newest release", async () => {
  const asked: (readonly string[])[] = [];
  await preferNewestReleases(["azureml-defaults", "scikit-learn==1.7.2"], async (requirements) => {
    asked.push(requirements);
    return lockOf("azureml-defaults", "1.62.0");
  });
  expect(asked).toEqual([
    ["azureml-defaults"],
    ["azureml-defaults", "scikit-learn==1.7.2", "azureml-defaults>=1.62.0"],
  ]);
});

test("when the newest does not fit, whatever fits is taken", async () => {
  const lock = await preferNewestReleases(["azureml_core", "numpy==1.16"], async (requirements) => {
    if (requirements.some((requirement) => requirement.includes(">="))) throw unsolvable();
    return lockOf("azureml-core", requirements.length === 1 ? "1.61.0" : "1.20.0");
  });
  expect(lock).toContain("1.20.0");
});

test("with a version, or alone, it is resolved once as it stands; other failures are told", async () => {
  for (const requirements of [["azureml-core==1.48", "numpy"], ["azureml-core"], ["numpy"]]) {
    let count = 0;
    await preferNewestReleases(requirements, async () => {
      count += 1;
      return "";
    });
    expect(count).toBe(1);
  }
  const failing = preferNewestReleases(["azureml-core", "numpy"], async () => {
    throw new AppError({ code: "EnvironmentIndexUnreachable", kind: "unavailable", message: "no index" });
  });
  await expect(failing).rejects.toThrow("no index");
});
