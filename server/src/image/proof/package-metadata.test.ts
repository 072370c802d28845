import { describe, expect, it } from "vitest";
import { licensesIn, MAX_METADATA_BYTES } from "./package-metadata.ts";

const metadata = (...lines: string[]) =>
  Buffer.from(`${["Metadata-Version: 2.4", "Name: six", ...lines].join("\n")}\n`);

describe("the licences that METADATA names", () => {
  it("are the expression, if there is one", () => {
    const both = [
      "License: BSD",
      "License-Expression: Apache-2.0 OR BSD-3-Clause",
      "Classifier: License :: OSI Approved",
    ];
    expect(licensesIn(metadata(...both))).toEqual(["Apache-2.0 OR BSD-3-Clause"]);
  });

  it("are the short name, else the classifiers, else what stands there in a few words", () => {
    const classifiers = ["Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: OSI Approved"];
    expect(licensesIn(metadata("License: MPL-2.0", ...classifiers))).toEqual(["MPL-2.0"]);
    expect(licensesIn(metadata("License: Copyright (c) Jane Doe", ...classifiers))).toEqual(["MIT License"]);
    expect(licensesIn(metadata("License: Dual License"))).toEqual(["Dual License"]);
  });

  it("are none where the author wrote the whole text, UNKNOWN or nothing", () => {
    expect(licensesIn(metadata("License: Permission is granted", "        to everybody", "Home-page: x"))).toEqual([]);
    expect(licensesIn(metadata("License: UNKNOWN"))).toEqual([]);
    expect(licensesIn(metadata())).toEqual([]);
    expect(licensesIn(Buffer.alloc(0))).toEqual([]);
  });

  it("are looked for in the headers only", () => {
    expect(licensesIn(metadata("", "License: of the description"))).toEqual([]);
  });

  it("survive bytes that are no text, and bring no control characters", () => {
    const noise = Buffer.concat([
      metadata(),
      Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a]),
      Buffer.from("License: M\u001b[2JI\xffT\n", "latin1"),
    ]);
    expect(licensesIn(noise)).toEqual(["M[2JIT"]);
    expect(licensesIn(Buffer.alloc(MAX_METADATA_BYTES, "License: x\n"))).toEqual(["x"]);
    expect(licensesIn(Buffer.alloc(MAX_METADATA_BYTES, " "))).toEqual([]);
  });
});
