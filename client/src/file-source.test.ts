import { expect, test } from "vitest";
import { fileFromBlob, fileFromText } from "./file-source.ts";

test("text becomes bytes with their digest", async () => {
  const file = fileFromText("a.txt", "abc");
  expect(file).toMatchObject({ path: "a.txt", sizeBytes: 3 });
  // The example of FIPS 180-4.
  expect(await file.sha256?.()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(await file.slice(1, 3)).toEqual(new Uint8Array([98, 99]));
  expect(fileFromText("b.txt", "ä").sizeBytes).toBe(2);
});

test("a Blob is cut, not read", async () => {
  const file = fileFromBlob("model.bin", new Blob(["0123456789"]));
  const part = await file.slice(2, 5);
  expect(part).toBeInstanceOf(Blob);
  expect(await new Response(part).text()).toBe("234");
});
