import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { curlLine } from "./curl-line.ts";

test("is what people would write", () => {
  const line = curlLine({
    url: "https://localhost:8444/api/v1/service/a/score",
    caFile: "/home/me/.slipway/tls/ca.pem",
    key: "K",
    body: '{"data": [1]}',
  });
  expect(line).toBe(
    `curl --cacert /home/me/.slipway/tls/ca.pem -H 'Content-Type: application/json' -H 'Authorization: Bearer K' -d '{"data": [1]}' https://localhost:8444/api/v1/service/a/score`,
  );
});

test("needs neither key nor certificate authority", () => {
  expect(curlLine({ url: "https://x/score", caFile: undefined, key: undefined, body: "[]" })).toBe(
    "curl -H 'Content-Type: application/json' -d '[]' https://x/score",
  );
});

test("a shell hands over exactly the body, whatever is in it", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((value) => value.replaceAll("\0", ""));
  fc.assert(
    fc.property(text, (body) => {
      const line = curlLine({ url: "u", caFile: undefined, key: undefined, body });
      const printed = execFileSync("sh", ["-c", `curl() { printf %s "$4"; }; ${line}`], { encoding: "utf8" });
      expect(printed).toBe(body);
    }),
    { numRuns: 40 },
  );
});
