import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ModelTestRoom, openModelRoom } from "./model-test-room.ts";

let room: ModelTestRoom;
beforeEach(async () => {
  room = await openModelRoom();
});
afterEach(() => room.close());

async function paths(parts: readonly object[]): Promise<string[]> {
  const answer = await room.post({ name: "m", url: `aml://asset/${await room.asset(parts)}` });
  if (answer.statusCode !== 200) throw new Error(answer.json().code);
  const files = await room.models.files(await room.models.get("ws1", answer.json().id));
  return files.map((file) => file.path);
}

describe("the files of a model", () => {
  it("lie as the client's download lays them out: the parent of the prefix is stripped", async () => {
    const root = await room.upload({ "m.pkl": "x", "out/net/a": "1", "out/net/sub/b ü": "2", "out/network": "3" });
    expect(await paths([{ prefix: `${root}/m.pkl` }])).toEqual(["m.pkl"]);
    expect(await paths([{ prefix: `${root}/out/net` }])).toEqual(["net/a", "net/sub/b ü"]);
    expect(await paths([{ prefix: `${root}/out/net//` }])).toEqual(["net/a", "net/sub/b ü"]);
    expect(await paths([{ prefix: `aml://artifact/${root}/out` }])).toEqual([
      "out/net/a",
      "out/net/sub/b ü",
      "out/network",
    ]);
    expect(await paths([{ id: `${root}/out/net/a` }])).toEqual(["a"]);
    expect(await paths([{ prefix: root }])).toEqual(["m.pkl", "out/net/a", "out/net/sub/b ü", "out/network"]);
  });

  it("come with digest and size", async () => {
    const root = await room.upload({ "m.pkl": "12345" });
    const answer = await room.post({
      name: "m",
      url: `aml://asset/${await room.asset([{ prefix: `${root}/m.pkl` }])}`,
    });
    const [file] = await room.models.files(await room.models.get("ws1", answer.json().id));
    expect(file).toEqual({
      path: "m.pkl",
      sizeBytes: 5,
      digest: "sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
    });
  });

  it("may not fall on each other", async () => {
    const one = await room.upload({ "x/m": "1" });
    const two = await room.upload({ "y/m": "2", "z/m/deeper": "3" });
    await expect(paths([{ prefix: `${one}/x/m` }, { prefix: `${two}/y/m` }])).rejects.toThrow("ModelFilesConflict");
    await expect(paths([{ prefix: `${one}/x/m` }, { prefix: `${two}/z/m` }])).rejects.toThrow("ModelFilesConflict");
    const both = await room.upload({ m: "1", "m/inner": "2" });
    await expect(paths([{ prefix: `${both}/m` }])).rejects.toThrow("ModelFilesConflict");
  });
});
