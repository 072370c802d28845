import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { streamingLog, streamingLogFrom } from "./streaming-log.ts";

const entry = fc.record({
  at: fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }).map((date) => date.toISOString()),
  text: fc.string({ unit: "grapheme" }),
});

describe("the streaming log", () => {
  it("has the form of the wire", () => {
    const entries = [
      { at: "2026-11-22T09:25:08.123Z", text: "Creating container." },
      { at: "2026-11-22T09:25:09.000Z", text: "a|b #1\nnext" },
    ];
    expect(streamingLog(entries)).toBe("20261122092508|Creating container.#20261122092509|a/b *1 next#");
  });

  it("splits into its entries again, whatever the texts are", () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const parts = streamingLog(entries).split("#");
        expect(parts.pop()).toBe("");
        expect(parts).toHaveLength(entries.length);
        for (const part of parts) expect(part).toMatch(/^\d{14}\|[^|\r\n]*$/);
      }),
    );
  });

  it("continues where the asker stopped, counting as the asker counts", () => {
    fc.assert(
      fc.property(fc.array(entry), fc.nat(200), (entries, offset) => {
        const all = [...streamingLog(entries)];
        expect(streamingLogFrom(entries, offset)).toBe(all.slice(offset).join(""));
      }),
    );
    expect(streamingLogFrom([{ at: "2026-11-22T09:25:08.123Z", text: "😀ab" }], 17)).toBe("b#");
  });
});
