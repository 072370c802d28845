import { describe, expect, it } from "vitest";
import { asksForPythonAlone, environmentSpec, pypiSpec } from "./environment-spec.ts";

describe("environmentSpec", () => {
  it("brings both files into one sorted list of PyPI requirements", () => {
    const spec = environmentSpec({
      condaFile: `dependencies: [python=3.6.2, "conda-forge::pytorch=1.9", scikit-learn, matplotlib-base, opencv, nomkl, libgcc-ng, librosa, {pip: [joblib==1.4, scikit-learn]}]`,
      pipRequirements: "azureml-model-management-sdk==1.0.1b6.post1\nflask\n",
    });
    const pypi = pypiSpec(spec);
    expect(pypi.requirements).toEqual([
      ...["flask", "joblib==1.4", "librosa", "matplotlib", "opencv-python-headless", "scikit-learn", "torch==1.9.*"],
    ]);
    expect(spec.python).toMatchObject({ text: "3.6.2", clauses: [{ operator: "==", version: "3.6.2.*" }] });
    expect(pypi.taken).toContain("pytorch (as torch)");
    expect(pypi.notes).toEqual([expect.stringContaining("nomkl, libgcc-ng")]);
    expect(spec.pip.notes).toEqual([expect.stringContaining("azureml-model-management-sdk")]);
  });

  it("is the same for the same wishes in another order", () => {
    const one = environmentSpec({ condaFile: "dependencies: [numpy, scipy]" });
    const other = environmentSpec({ condaFile: "channels: [x]\ndependencies: [scipy, numpy, numpy]" });
    expect(pypiSpec(one).requirements).toEqual(pypiSpec(other).requirements);
  });

  it("lets the conda file's Python go first", () => {
    expect(environmentSpec({ pythonVersion: "3.10.18" }).python?.text).toBe("3.10.18");
    expect(environmentSpec({ condaFile: "dependencies: [python>=3.8]", pythonVersion: "3.10" }).python?.text).toBe(
      ">=3.8",
    );
    expect(environmentSpec({ condaFile: "dependencies: [python]", pythonVersion: "3.10" }).python?.text).toBe("3.10");
  });

  it("needs nothing when nothing is asked for", () => {
    const spec = environmentSpec({ pipRequirements: "azureml-model-management-sdk==1.0\n" });
    expect([spec.python, pypiSpec(spec).requirements, pypiSpec(spec).taken]).toEqual([undefined, [], []]);
  });

  it.each([
    ["r-base", /R packages cannot be installed/],
    ["r-ggplot2=3.3", /R packages cannot be installed/],
    ["numpy=1.2|1.4", /not supported without a conda channel/],
  ])("%s is for conda alone", (name, reason) => {
    const spec = environmentSpec({ condaFile: `dependencies: ["${name}"]` });
    expect(() => pypiSpec(spec)).toThrow(reason);
  });

  it("tells whether anything but Python is asked of conda", () => {
    const alone = (dependencies: string) =>
      asksForPythonAlone(environmentSpec({ condaFile: `dependencies: ${dependencies}` }));
    expect(["[python=3.8, pip, {pip: [numpy]}]", "[]", "[python=3.8, numpy]"].map(alone)).toEqual([true, true, false]);
  });

  it("refuses a Python version that is none", () => {
    expect(() => environmentSpec({ pythonVersion: "3.x; import os" })).toThrow(
      expect.objectContaining({ code: "CondaFileInvalid" }),
    );
  });
});
