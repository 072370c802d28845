import { expect, it } from "vitest";
import { unnamedArtifacts } from "../artifact/index.ts";
import { removeUnnamed } from "../platform/database/unnamed-rows.ts";
import { openModelRoom } from "./model-test-room.ts";
import { unnamedAssets } from "./unnamed-assets.ts";

it("files of deleted models go; those of models, of open work and of today stay", async () => {
  const room = await openModelRoom();
  const names = ["kept", "deleted", "working"];
  const containers: Record<string, string> = {};
  for (const name of names) {
    const root = await room.upload({ [name]: "bytes" });
    containers[name] = root.split("/")[1] ?? "";
    await room.post({ name, url: `aml://asset/${await room.asset([{ prefix: `${root}/${name}` }])}` });
  }
  for (const name of ["deleted", "working"]) {
    const deleted = await room.app.inject({ method: "DELETE", url: `/models/${name}:1` });
    expect(deleted.statusCode).toBe(200);
  }
  const collect = async (before: Date) => {
    const texts = [JSON.stringify({ code: `aml://artifact/LocalUpload/${containers.working}/working` })];
    const search = { except: [], texts, before };
    return [
      await removeUnnamed(room.database, unnamedAssets, search),
      await removeUnnamed(room.database, unnamedArtifacts, search),
    ];
  };
  expect(await collect(new Date(0))).toEqual([0, 0]);
  const tomorrow = new Date(Date.now() + 24 * 3_600_000);
  expect(await collect(tomorrow)).toEqual([2, 1]);
  const left = await room.database.selectFrom("artifact").select("container").execute();
  expect(left.map(({ container }) => container).sort()).toEqual([containers.kept, containers.working].sort());
  expect(await collect(tomorrow)).toEqual([0, 0]);
  await room.close();
});
