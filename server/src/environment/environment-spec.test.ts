import { describe, expect, it } from "vitest";
import { environmentSpec } from "./environment-spec.ts";

describe("environmentSpec", () => {
  it("brings both files into one sorted list of PyPI requirements", () => {
    const spec = environmentSpec({
      condaFile: `dependencies: [python=3.6.2, "conda-forge::pytorch=1.9", scikit-learn, matplotlib-base, opencv, nomkl, libgcc-ng, librosa, {pip: [joblib==1.4, scikit-learn]}]`,
      pipRequirements: "azureml-model-management-sdk==1.0.1b6.post1\nflask\n",
    });
    expect(spec.requirements).toEqual([
      ...["flask", "joblib==1.4", "librosa", "matplotlib", "opencv-python-headless", "scikit-learn", "torch==1.9.*"],
    ]);
    expect(spec.python).toMatchObject({ text: "3.6.2", clauses: [{ operator: "==", version: "3.6.2.*" }] });
    expect(spec.warnings).toEqual([expect.stringContaining("pytorch (as torch)")]);
    expect(spec.notes).toEqual([
      expect.stringContaining("nomkl, libgcc-ng"),
      expect.stringContaining("azureml-model-management-sdk"),
    ]);
  });

  it("is the same for the same wishes in another order", () => {
    const one = environmentSpec({ condaFile: "dependencies: [numpy, scipy]" });
    const other = environmentSpec({ condaFile: "channels: [x]\ndependencies: [scipy, numpy, numpy]" });
    expect(one.requirements).toEqual(other.requirements);
  });

  it("lets the conda file's Python go first", () => {
    expect(environmentSpec({ pythonVersion: "3.10.18" }).python?.text).toBe("3.10.18");
    expect(environmentSpec({ condaFile: "dependencies: [python>=3.8]", pythonVersion: "3.10" }).python?.text).toBe(
      ">=3.8",
    );
    expect(environmentSpec({ condaFile: "dependencies: [python]", pythonVersion: "3.10" }).python?.text).toBe("3.10");
  });

  it("needs nothing when nothing is asked for", () => {
    expect(environmentSpec({ pipRequirements: "azureml-model-management-sdk==1.0\n" })).toMatchObject({
      python: undefined,
      requirements: [],
      warnings: [],
    });
  });

  it.each(["r-base", "r-ggplot2=3.3"])("says that %s is of another language", (name) => {
    expect(() => environmentSpec({ condaFile: `dependencies: [${name}]` })).toThrow(/R packages cannot be installed/);
  });

  it("refuses a Python version that is none", () => {
    expect(() => environmentSpec({ pythonVersion: "3.x; import os" })).toThrow(
      expect.objectContaining({ code: "CondaFileInvalid" }),
    );
  });
});
