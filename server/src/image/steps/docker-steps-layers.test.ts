import { afterAll, beforeAll, expect, test } from "vitest";
import { ownArchitecture } from "../../platform/architecture.ts";
import { type ImageTestRoom, openImageTestRoom } from "../image-test-room.ts";

let room: ImageTestRoom;
beforeAll(async () => {
  room = await openImageTestRoom();
  await room.registerModel("words", "model.txt", "hello");
});
afterAll(() => room.close());

test("where no container engine is, RUN is refused before anything is begun, with its line and what to do", async () => {
  const creating = room.images.create(room.workspace.id, {
    name: "stepped",
    modelIds: ["words:1"],
    driverProgram: "score.py",
    assets: [await room.asset("score.py", "score.py", "def init(): pass\ndef run(raw): return raw\n")],
    targetRuntime: {
      runtimeType: "PythonCustom",
      targetArchitecture: ownArchitecture(),
      properties: { dockerSteps: "ENV A=1\nRUN apt-get update && \\\n    apt-get install -y libgl1" },
    },
  });
  await expect(creating).rejects.toMatchObject({
    code: "RunStepNeedsEngine",
    kind: "invalid",
    message: expect.stringMatching(/^Docker steps, line 2: RUN "apt-get update.*--container-engine.*base_image\.$/),
  });
  expect(await room.images.list(room.workspace.id, {})).toEqual([]);
});
