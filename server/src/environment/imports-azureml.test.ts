import { describe, expect, it } from "vitest";
import { importsAzureml } from "./imports-azureml.ts";

describe("importsAzureml", () => {
  it.each([
    ["import json\nfrom azureml.core.model import Model\n", 2],
    ["import azureml", 1],
    ["import os, azureml.core as core", 1],
    ["def init():\n    from azureml.core import Model", 2],
    ["try: import azureml.core\nexcept ImportError: pass", 1],
    ["x = 1; import azureml", 1],
    ["import json\r\nimport azureml\r\n", 2],
    ["'''\nimport azureml\n'''\nimport azureml", 4],
  ])("finds it in %j", (source, line) => {
    expect(importsAzureml(source)).toBe(line);
  });

  it.each([
    "",
    "import json",
    "# import azureml",
    '"""\nfrom azureml.core import Model\n"""',
    "text = 'import azureml'",
    "import azureml_like",
    "from azuremlx import y",
    "from .azureml import y",
    "import_azureml()",
    "from os import azureml",
  ])("does not find it in %j", (source) => {
    expect(importsAzureml(source)).toBeUndefined();
  });

  it("is not slowed down by hostile sources", () => {
    const begun = performance.now();
    for (const part of ["import ,", ": ", "'''", "\\'", '"', "import a,", ";from "])
      importsAzureml(part.repeat(200_000));
    expect(performance.now() - begun).toBeLessThan(15_000);
  });
});
