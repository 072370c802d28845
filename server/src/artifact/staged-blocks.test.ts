import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openFileBlobStore } from "../platform/blob-store/file-blob-store.ts";
import { createStagedBlocks, isBlockId } from "./staged-blocks.ts";

const name = { uploadId: "0".repeat(32), stagingArea: "1".repeat(32) };
const [first, second] = [btoa("1"), btoa("2")];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-blocks-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
const area = (file: string) => join(directory, name.uploadId, name.stagingArea, file);

/** Two blocks, and then the process is gone: nothing is closed. */
async function leaveBlocks(): Promise<void> {
  const blocks = createStagedBlocks(directory, "boot-1");
  await blocks.put(name, first, bytesOf("first "), { sizeBytes: 6 });
  await blocks.put(name, second, bytesOf("second"), { sizeBytes: 6 });
}

describe("blocks of a process that was killed", () => {
  it("are still there, whole", async () => {
    await leaveBlocks();
    const blocks = createStagedBlocks(directory, "boot-1");
    expect(await blocks.list(name)).toEqual([
      { id: first, sizeBytes: 6 },
      { id: second, sizeBytes: 6 },
    ]);
    const store = await openFileBlobStore(join(directory, "blobs"));
    const { digest } = await blocks.assemble(name, [first, second], store, undefined);
    expect((await buffer(store.read(digest))).toString()).toBe("first second");
  });

  it("do not count when their line in the log has no end", async () => {
    await leaveBlocks();
    await appendFile(area("blocks.log"), `${btoa("3")} 12 6`);
    const blocks = createStagedBlocks(directory, "boot-1");
    expect((await blocks.list(name)).map((block) => block.id)).toEqual([first, second]);
    await blocks.put(name, btoa("4"), bytesOf("fourth"), { sizeBytes: 6 });
    await blocks.close();
    expect(await blocks.list(name)).toEqual([
      { id: first, sizeBytes: 6 },
      { id: second, sizeBytes: 6 },
      { id: btoa("4"), sizeBytes: 6 },
    ]);
    await blocks.close();
  });

  it("are forgotten when the file moved into the store and only the database does not know", async () => {
    await leaveBlocks();
    await rm(area("data"));
    const blocks = createStagedBlocks(directory, "boot-1");
    expect(await blocks.list(name)).toEqual([]);
    await blocks.put(name, first, bytesOf("again"), { sizeBytes: 5 });
    expect(await blocks.list(name)).toEqual([{ id: first, sizeBytes: 5 }]);
    await blocks.close();
  });

  it("are not trusted after another boot: they were not synced one by one", async () => {
    await leaveBlocks();
    const blocks = createStagedBlocks(directory, "boot-2");
    expect(await blocks.list(name)).toEqual([]);
    await blocks.close();
  });
});

it("a block that is shorter than it said does not count", async () => {
  const blocks = createStagedBlocks(directory, "boot-1");
  await expect(blocks.put(name, first, bytesOf("abc"), { sizeBytes: 4 })).rejects.toMatchObject({
    code: "UploadBroken",
  });
  expect(await blocks.list(name)).toEqual([]);
  await blocks.close();
});

it("nothing is written beside a commit, and blocks may come again after one that failed", async () => {
  const store = await openFileBlobStore(join(directory, "blobs"));
  const blocks = createStagedBlocks(directory, "boot-1");
  await blocks.put(name, first, bytesOf("first "), { sizeBytes: 6 });
  const failing = blocks.assemble(name, [first, second], store, undefined);
  const beside = blocks.put(name, second, bytesOf("second"), { sizeBytes: 6 });
  await expect(failing).rejects.toMatchObject({ code: "InvalidBlockList" });
  // Whichever of the two came first, the block is either refused or counts; it is never half there.
  await beside.catch((error) => expect(error).toMatchObject({ code: "UploadBusy" }));
  await blocks.put(name, second, bytesOf("second"), { sizeBytes: 6 });
  const { digest } = await blocks.assemble(name, [first, second], store, undefined);
  expect((await buffer(store.read(digest))).toString()).toBe("first second");
});

it.each(["", "a", "!!!!", "QQ", btoa("x".repeat(65)), 5, undefined])("%j is no block id", (id) => {
  expect(isBlockId(id)).toBe(false);
});
