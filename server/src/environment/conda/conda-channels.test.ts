import { describe, expect, it } from "vitest";
import { channelsOf } from "./conda-channels.ts";

const addresses = (named: readonly string[], settings = {}, pinned: readonly string[] = []) =>
  channelsOf(named, pinned, settings).addresses;

describe("channelsOf", () => {
  it("puts the alias in front of names, and leaves addresses as they are", () => {
    expect(addresses(["conda-forge", "nodefaults", "https://example.org/a/b/", "me/label/dev"])).toEqual([
      "https://conda.anaconda.org/conda-forge",
      "https://example.org/a/b",
      "https://conda.anaconda.org/me/label/dev",
    ]);
    expect(addresses(["bioconda"], { channelAlias: "https://mirror.example.org/conda/" })).toEqual([
      "https://mirror.example.org/conda/bioconda",
    ]);
  });

  it("asks the community's channel when none is named, and conda's defaults only by name", () => {
    expect(addresses([])).toEqual(["https://conda.anaconda.org/conda-forge"]);
    expect(addresses(["nodefaults"])).toEqual(["https://conda.anaconda.org/conda-forge"]);
    expect(addresses(["defaults"]).length).toBe(2);
    expect(addresses(["defaults"], { channelAlias: "https://example.org" })).toEqual(["https://example.org/main"]);
  });

  it("takes a channel from its mirror, however it is named", () => {
    const settings = { channelMirrors: ["conda-forge=https://m.example.org/cf", "defaults=https://m.example.org/d=1"] };
    expect(addresses(["conda-forge", "defaults", "other"], settings)).toEqual([
      "https://m.example.org/cf",
      "https://m.example.org/d=1",
      "https://conda.anaconda.org/other",
    ]);
  });

  it("asks channels of pins last, each once", () => {
    expect(addresses(["a"], { channelAlias: "https://x.example" }, ["b", "a", "b"])).toEqual([
      "https://x.example/a",
      "https://x.example/b",
    ]);
  });

  it.each([
    ["http://u:p@example.org/c", /holds credentials/],
    ["https://example.org/t/tk-1/c", /holds credentials/],
    ["file:///srv/channel", /not read/],
    ["ftp://example.org/c", /not read/],
    ["/srv/channel", /neither/],
    ["../up", /neither/],
    ["a b", /neither/],
    ["", /neither/],
  ])("refuses %j", (channel, reason) => {
    expect(() => addresses([channel])).toThrow(
      expect.objectContaining({ code: "CondaFileInvalid", message: expect.stringMatching(reason) }),
    );
  });

  it("refuses more channels than anybody has", () => {
    expect(() => addresses(Array.from({ length: 21 }, (_, index) => `c${index}`))).toThrow(/more than 20 channels/);
  });
});
