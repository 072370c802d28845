import { describe, expect, it } from "vitest";
import type { TarHeader } from "../../registry/remote/index.ts";
import { type LayerPythons, notePythons, pythonMinors, visiblePython } from "./base-python.ts";

const layer = (...members: readonly (string | Pick<TarHeader, "name" | "kind">)[]): LayerPythons => {
  const notes = notePythons();
  for (const member of members) {
    notes.member({
      linkName: "",
      sizeBytes: 0,
      ...(typeof member === "string" ? { name: member, kind: "file" } : member),
    });
  }
  return notes.result();
};

describe("the interpreter of a base", () => {
  it("is found where distributions and builders put it", () => {
    expect(visiblePython([layer("usr/bin/python3.11")], "3.11", undefined)).toBe("/usr/bin/python3.11");
    expect(visiblePython([layer("./usr/local/bin/python3.12")], "3.12", undefined)).toBe("/usr/local/bin/python3.12");
    expect(visiblePython([layer("/opt/miniconda/bin/python3.10")], "3.10", undefined)).toBe(
      "/opt/miniconda/bin/python3.10",
    );
    expect(visiblePython([layer({ name: "opt/a/env/bin/python3.9", kind: "symlink" })], "3.9", undefined)).toBe(
      "/opt/a/env/bin/python3.9",
    );
  });

  it("has exactly the minor version", () => {
    const layers = [layer("usr/bin/python3.1", "usr/bin/python3.11", "usr/bin/python3", "home/x/bin/python3.8")];
    expect(visiblePython(layers, "3.1", undefined)).toBe("/usr/bin/python3.1");
    expect(visiblePython(layers, "3.8", undefined)).toBeUndefined();
    expect(pythonMinors(layers)).toEqual(["3.1", "3.11"]);
  });

  it("is the first by the image's own PATH", () => {
    const layers = [layer("usr/bin/python3.11", "usr/local/bin/python3.11", "opt/conda/bin/python3.11")];
    expect(visiblePython(layers, "3.11", undefined)).toBe("/usr/local/bin/python3.11");
    expect(visiblePython(layers, "3.11", "/opt/conda/bin:/usr/bin")).toBe("/opt/conda/bin/python3.11");
  });

  it.each([
    ["usr/bin/.wh.python3.11"],
    ["usr/bin/.wh..wh..opq"],
    ["usr/.wh.bin"],
    [".wh.usr"],
    [".wh..wh..opq"],
    [{ name: "usr/bin", kind: "symlink" as const }],
  ])("is gone when a higher layer has %j", (member) => {
    const below = layer("usr/bin/python3.11", "opt/conda/bin/python3.11");
    expect(visiblePython([below, layer(member)], "3.11", "/usr/bin")).not.toBe("/usr/bin/python3.11");
    // and comes back by a layer above that
    expect(visiblePython([below, layer(member), layer("usr/bin/python3.11")], "3.11", "/usr/bin")).toBe(
      "/usr/bin/python3.11",
    );
  });

  it("stays when the whiteout stands in its own layer, or means something else", () => {
    expect(visiblePython([layer("usr/bin/.wh.python3.11", "usr/bin/python3.11")], "3.11", undefined)).toBeDefined();
    const below = layer("usr/bin/python3.11");
    expect(visiblePython([below, layer("usr/bin/.wh.python3.1", "usr/.wh.binary")], "3.11", undefined)).toBeDefined();
    expect(visiblePython([below, layer({ name: "usr/bin", kind: "directory" })], "3.11", undefined)).toBeDefined();
  });

  it("is never taken from a hostile name or a device", () => {
    const layers = [
      layer("../usr/bin/python3.11", "usr/bin/../../usr/bin/python3.11", "usr/bin/python3.11\0x", {
        name: "usr/bin/python3.11",
        kind: "other",
      }),
    ];
    expect(visiblePython(layers, "3.11", undefined)).toBeUndefined();
  });

  it("is found behind thousands of other files, and what is kept of a layer stays small", () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `opt/conda/bin/tool${index}`);
    expect(visiblePython([layer(...many, "opt/conda/bin/python3.11")], "3.11", undefined)).toBeDefined();
    const bombs = Array.from({ length: 5_000 }, (_, index) => `opt/x${index}/bin/python3.11`);
    expect(layer(...bombs).added.length).toBeLessThanOrEqual(1_000);
  });
});
