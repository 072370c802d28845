import { expect, it } from "vitest";
import { callOf, grpcQuestion } from "./model-call.ts";

const call = (m: string, p: string) => callOf({ m, p, h: {}, i: "r" });

it.each([
  ["GET", "/v2", { kind: "server", call: { question: "server" } }],
  ["GET", "/v2/", { kind: "server", call: { question: "server" } }],
  ["GET", "/v2/health/live", { kind: "server", call: { question: "live" } }],
  ["HEAD", "/v2/health/ready", { kind: "server", call: { question: "ready" } }],
  ["GET", "/v2/models/a%20b", { kind: "server", call: { question: "model", model: "a b" } }],
  ["GET", "/v2/models/m/versions/3", { kind: "server", call: { question: "model", model: "m", version: "3" } }],
  [
    "GET",
    "/v2/models/m/versions/3/ready",
    { kind: "server", call: { question: "modelReady", model: "m", version: "3" } },
  ],
  ["GET", "/v2/models/m/ready", { kind: "server", call: { question: "modelReady", model: "m" } }],
  ["POST", "/v2/models/m/infer", { kind: "model", call: { form: "rest", model: "m" } }],
  ["POST", "/v2/models/m/versions/3/infer", { kind: "model", call: { form: "rest", model: "m", version: "3" } }],
  ["POST", "/invocations", { kind: "model", call: { form: "invocations" } }],
  ["GET", "/score", { kind: "model", call: { form: "score" } }],
])("%s %s is a call", (method, path, expected) => {
  expect(call(method, path)).toEqual(expected);
});

it("of another method is refused, and other paths are not its own", () => {
  for (const [method, path] of [
    ["GET", "/v2/models/m/infer"],
    ["POST", "/v2"],
    ["GET", "/invocations"],
    ["DELETE", "/score"],
  ] as const) {
    expect(call(method, path)).toEqual({ kind: "methodNotAllowed" });
  }
  for (const path of [
    "/",
    "/v2x",
    "/v2/other",
    "/v2/models",
    "/v2/models/m/infer/more",
    "/v2/models/%ff",
    "/v2/health",
  ])
    expect(call("GET", path), path).toBeUndefined();
});

it("gRPC's methods are told by their names", () => {
  expect(grpcQuestion("/inference.GRPCInferenceService/ModelInfer")).toBe("infer");
  expect(grpcQuestion("/inference.GRPCInferenceService/ServerLive")).toBe("live");
  for (const path of [
    "/inference.GRPCInferenceService/toString",
    "/inference.GRPCInferenceService/",
    "/other/ModelInfer",
  ])
    expect(grpcQuestion(path), path).toBeUndefined();
});
