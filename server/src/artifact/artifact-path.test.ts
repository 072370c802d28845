import { posix } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { artifactId, checkArtifactPath, parseArtifactId } from "./artifact-path.ts";

describe("artifact paths", () => {
  it("that pass stay below the folder they are written to", () => {
    const hostile = fc.array(fc.constantFrom("..", ".", "/", "\\", "\0", "a", "ü", " ", "~", "%2e", "\n"), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          hostile.map((parts) => parts.join("")),
          fc.string({ unit: "binary" }),
        ),
        (path) => {
          try {
            checkArtifactPath(path);
          } catch {
            return;
          }
          const joined = posix.join("/data/folder", path);
          expect(joined).toBe(`/data/folder/${path}`);
          expect(posix.relative("/data/folder", joined)).toBe(path);
        },
      ),
    );
  });

  it("survive the way through an id and an address", () => {
    for (const path of ["model.pkl", "folder/ü b.txt", "a b/c"]) {
      const place = { origin: "LocalUpload", container: "261122T092406-e520d039", path };
      expect(parseArtifactId(artifactId(place))).toEqual(place);
      expect(parseArtifactId(`aml://artifact/${artifactId(place)}//`)).toEqual(place);
    }
  });

  it.each(["", "LocalUpload", "/LocalUpload/c/x", "aml://artifact/", "../c/x", "LocalUpload/c/../x"])(
    "refuses the id %j",
    (id) => {
      expect(() => parseArtifactId(id)).toThrow();
    },
  );
});
