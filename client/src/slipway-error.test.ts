import { expect, test } from "vitest";
import { errorFromOperation, errorFromResponse, isSlipwayError } from "./slipway-error.ts";

test("reads the body of model management", async () => {
  const body = {
    code: "ModelNotFound",
    statusCode: 404,
    message: "No model x.",
    details: [{ code: "A", message: "b" }],
  };
  const error = await errorFromResponse(Response.json(body, { status: 404 }));
  expect(error).toMatchObject({
    code: "ModelNotFound",
    statusCode: 404,
    message: "No model x.",
    details: body.details,
  });
});

test("reads the envelope of artifacts and of the resource manager", async () => {
  const body = { error: { code: "ResourceNotFound", message: "Workspace not found.", details: [] } };
  const error = await errorFromResponse(Response.json(body, { status: 404 }));
  expect(error).toMatchObject({ code: "ResourceNotFound", statusCode: 404, message: "Workspace not found." });
});

test("takes the code of a blob error from its header", async () => {
  const headers = { "x-ms-error-code": "BlobAlreadyExists" };
  const error = await errorFromResponse(new Response("", { status: 409, statusText: "Conflict", headers }));
  expect(error).toMatchObject({ code: "BlobAlreadyExists", message: "The server answered 409 Conflict" });
});

test("keeps a foreign text, cut to what a person reads", async () => {
  const error = await errorFromResponse(new Response("x".repeat(9_000), { status: 502 }));
  expect(error.code).toBe("Http502");
  expect(error.message).toHaveLength(2_000);
});

test("ignores details that are none", async () => {
  const body = { code: "A", message: "b", details: [null, "text", { code: 1 }, { message: "kept" }] };
  const error = await errorFromResponse(Response.json(body, { status: 400 }));
  expect(error.details).toEqual([{ code: "", message: "kept" }]);
});

test("a failed operation keeps its cause and itself", () => {
  const operation = {
    id: "1",
    operationType: "Image",
    state: "Failed",
    createdTime: "2026-11-22T09:25:08Z",
    endTime: "2026-11-22T09:25:09Z",
    resourceLocation: "images/a:1",
    parentRequestId: "1",
    operationDetails: { operationId: null, subOperationType: "BuildImage", subOperationState: "Failed" },
    streamingOperationLog: "",
    error: { code: "PackageConflict", statusCode: 400, message: "numpy 1 and numpy 2", details: [] },
  } as const;
  const error = errorFromOperation({ ...operation, error: { ...operation.error, details: [] } });
  expect(error).toMatchObject({ code: "PackageConflict", message: "numpy 1 and numpy 2", operation: { id: "1" } });
  expect(errorFromOperation({ ...operation, state: "Cancelled", error: null }).code).toBe("OperationCancelled");
});

test("an error is recognised by its shape, also from another copy of the package", () => {
  const foreign = Object.assign(new Error("x"), { name: "SlipwayError", code: "A", statusCode: 400 });
  expect(isSlipwayError(foreign)).toBe(true);
  expect(isSlipwayError(new Error("x"))).toBe(false);
  expect(isSlipwayError(undefined)).toBe(false);
});
