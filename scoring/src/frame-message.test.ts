import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, FrameMessageError } from "./frame-message.ts";

const headers = fc.dictionary(fc.string(), fc.string());
const payload = fc.uint8Array();

describe("messages", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(headers, fc.string(), payload, (h, text, bytes) => {
        const head = { m: "POST", p: "/score", h: { ...h }, i: text, q: text, t: 5 };
        const request = decodeRequest(encodeRequest(head, bytes));
        expect(request.head).toEqual(head);
        expect(new Uint8Array(request.payload)).toEqual(bytes);
        const response = decodeResponse(encodeResponse(424, { ...h }, bytes));
        expect(response).toMatchObject({ status: 424 });
        expect(response.head.h).toEqual({ ...h });
        expect(new Uint8Array(response.payload)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ["too short", Buffer.from([0, 0])],
    ["a head beyond the end", Buffer.from([0, 0, 0, 9, 123, 125])],
    ["no JSON", Buffer.from([0, 0, 0, 2, 123, 123])],
    ["not an object", Buffer.from([0, 0, 0, 1, 49])],
    ["no method", encodeRequest(JSON.parse('{"p":"/","h":{},"i":""}'), new Uint8Array())],
    [
      "headers that are no texts",
      encodeRequest(JSON.parse('{"m":"GET","p":"/","h":{"a":1},"i":""}'), new Uint8Array()),
    ],
  ])("with %s are refused", (_, body) => {
    expect(() => decodeRequest(body)).toThrow(FrameMessageError);
  });
});
