import { describe, expect, it } from "vitest";
import type { UnpackedArchive } from "./code-archive.ts";
import { placeCode } from "./code-placement.ts";
import { wrapperDriver } from "./image-test-room.ts";

let count = 0;
function archive(root: string, ...names: string[]): UnpackedArchive {
  return { root, members: names.map((name) => ({ name, file: `/members/${count++}`, executable: false })) };
}
const single = (name: string) => archive(name, name);
const paths = (driver: string | undefined, ...archives: UnpackedArchive[]) =>
  [...placeCode(driver, archives).files.keys()].sort();

describe("placing the members of archives", () => {
  it("puts what was packed with absolute paths beside the driver", () => {
    const files = paths(
      wrapperDriver("score.py"),
      single("home/me/proj/helper.py"),
      archive("home/me/proj/lib", "home/me/proj/lib/__init__.py", "home/me/proj/lib/deep/util.py"),
      single("home/me/proj/score.py"),
    );
    expect(files).toEqual(["helper.py", "lib/__init__.py", "lib/deep/util.py", "score.py"]);
  });

  it("keeps the folder of a script in a folder", () => {
    const src = archive("src", "src/score.py", "src/sub/__init__.py", "src/old/src/score.py");
    expect(paths(wrapperDriver("src/score.py"), src)).toEqual([
      "src/old/src/score.py",
      "src/score.py",
      "src/sub/__init__.py",
    ]);
  });

  it("places what lies outside of the script's folder beside it, and says so", () => {
    const archives = [
      archive("home/me/shared", "home/me/shared/common.py"),
      single("home/me/x.py"),
      single("home/me/proj/score.py"),
    ];
    const { files, notes } = placeCode(wrapperDriver("score.py"), archives);
    expect([...files.keys()].sort()).toEqual(["score.py", "shared/common.py", "x.py"]);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toContain("home/me/shared");
  });

  it("takes the archive with nothing but the script for the script's, not a namesake in a dependency", () => {
    const dependency = archive("a/lib", "a/lib/score.py", "a/lib/more.py");
    expect(paths(wrapperDriver("score.py"), dependency, single("home/me/proj/score.py"))).toEqual([
      "lib/more.py",
      "lib/score.py",
      "score.py",
    ]);
  });

  it("takes the last of archives that hold the same file", () => {
    const [first, second] = [single("home/me/proj/score.py"), single("home/me/proj/score.py")];
    const { files } = placeCode(wrapperDriver("score.py"), [first, second]);
    expect(files.get("score.py")).toBe(second.members[0]);
  });

  it("leaves relative names alone when the driver is the user's own script", () => {
    const driver = "import helper\nNAME = 'helper.py'\n";
    expect(paths(driver, archive("lib", "lib/helper.py"), single("helper.py"))).toEqual(["helper.py", "lib/helper.py"]);
    expect(paths(undefined, archive("pkg", "pkg/a.py"))).toEqual(["pkg/a.py"]);
  });

  it("leaves room for the models", () => {
    const { files, notes } = placeCode(undefined, [
      archive("azureml-models", "azureml-models/m/1/model.pkl"),
      single("score.py"),
    ]);
    expect([...files.keys()]).toEqual(["score.py"]);
    expect(notes.join()).toContain("azureml-models");
  });

  it("refuses a name that is both a file and a folder", () => {
    expect(() => placeCode(undefined, [single("lib"), archive("lib", "lib/util.py")])).toThrowError(/"lib" is a file/);
  });
});
