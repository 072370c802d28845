import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ControlPlane, createServiceFixture, MMS } from "./test/service-fixture.ts";

let fixture: Awaited<ReturnType<typeof createServiceFixture>>;
let plane: ControlPlane;
let imageId: string;

beforeEach(async () => {
  fixture = await createServiceFixture();
  plane = fixture.controlPlane();
  await plane.runner.start();
  imageId = await fixture.imageOf(plane, "digits", ["digits:1"]);
});
afterEach(() => fixture.close());

async function call(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown) {
  const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
  const headers = { "content-type": method === "PATCH" ? "application/json-patch+json" : "application/json" };
  const answer = await plane.app.inject({ method, url: `${MMS}${path}`, headers, ...payload });
  return {
    status: answer.statusCode,
    operation:
      String(answer.headers["operation-location"] ?? "")
        .split("/")
        .at(-1) ?? "",
    body: answer.body === "" ? undefined : answer.json(),
  };
}

const create = (more: object = {}) => ({
  name: "digits",
  computeType: "ACI",
  imageId,
  tags: null,
  kvTags: { data: "mnist" },
  properties: {},
  description: "Handwriting recognition",
  location: null,
  encryptionProperties: null,
  vnetConfiguration: null,
  containerResourceRequirements: { cpu: 1, memoryInGB: 1 },
  ...more,
});

async function deployed(more: object = {}) {
  const answer = await call("POST", "/services", create(more));
  expect(answer.status).toBe(202);
  await call("GET", `/operations/${answer.operation}`);
}

describe("create and read", () => {
  it("answers 202 with an operation, and the service is readable at once", async () => {
    const answer = await call("POST", "/services", create());
    expect(answer).toMatchObject({ status: 202, operation: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const read = await call("GET", "/services/digits?expand=true");
    expect(read).toMatchObject({ status: 200, body: { state: "Transitioning", operationId: answer.operation } });
    const operation = await call("GET", `/operations/${answer.operation}?offset=0`);
    expect(operation.body).toMatchObject({
      state: "Succeeded",
      operationType: "Service",
      error: null,
      resourceLocation: expect.stringMatching(/^subscriptions\/.*\/services\/digits$/),
      operationDetails: { subOperationType: "DeployService", subOperationState: "Succeeded" },
      streamingOperationLog: expect.stringMatching(/^(\d{14}\|[^|#]+#)+$/),
    });
    const rest = await call("GET", `/operations/${answer.operation}?offset=40`);
    expect(operation.body.streamingOperationLog.slice(40)).toBe(rest.body.streamingOperationLog);
  });

  it("gives every member that the client reads of a container instance", async () => {
    await deployed();
    const { body } = await call("GET", "/services/digits?expand=true");
    expect(body).toMatchObject({
      name: "digits",
      state: "Healthy",
      description: "Handwriting recognition",
      kvTags: { data: "mnist" },
      computeType: "ACI",
      deploymentType: "HttpRealtimeEndpoint",
      imageId: "digits:1",
      imageDigest: "sha256:digits:1",
      error: null,
      scoringUri: "https://localhost:8444/api/v1/service/digits/score",
      containerResourceRequirements: { cpu: 1, memoryInGB: 1 },
      imageDetails: { id: "digits:1" },
      publicIp: "localhost",
    });
    for (const key of "appInsightsEnabled authEnabled cname location sslCertificate sslEnabled sslKey".split(" ")) {
      expect(body).toHaveProperty(key);
    }
  });

  it("makes the image of an environment request first and gives the request back", async () => {
    const environmentImageRequest = {
      driverProgram: "tmp.py",
      assets: [{ id: "tmp.py", url: "aml://artifact/LocalUpload/1/tmp.py", mimeType: "application/x-python" }],
      modelIds: ["digits:1"],
      environment: {
        name: "myenv",
        environmentVariables: { AZUREML_ENTRY_SCRIPT: "score.py" },
        python: { condaDependencies: { dependencies: ["python=3.11", { pip: ["numpy"] }] } },
        docker: { enabled: false, baseDockerfile: null, baseImageRegistry: { username: "u", password: "secret" } },
      },
    };
    await deployed({ imageId: null, environmentImageRequest });
    const { body } = await call("GET", "/services/digits?expand=true");
    expect(body).toMatchObject({ state: "Healthy", imageId: "digits:2", models: [{ id: "digits:1" }] });
    const { docker, ...environment } = environmentImageRequest.environment;
    const baseImageRegistry = { ...docker.baseImageRegistry, password: null };
    expect(body.environmentImageRequest).toEqual({
      ...environmentImageRequest,
      environment: { ...environment, docker: { ...docker, baseImageRegistry } },
    });
    expect(body).not.toHaveProperty("imageDetails");
    const image = await plane.images.get(fixture.workspace.id, "digits:2");
    expect(image.condaFile).toContain("python=3.11");
  });

  it.each([
    ["a name that is taken", {}, 409, "already exists"],
    ["a name with capitals", { name: "Digits" }, 400, "lower-case"],
    ["an unknown image", { name: "other", imageId: "none:1" }, 404, "none:1"],
    ["no image", { name: "other", imageId: null }, 400, "neither imageId"],
    ["an unknown compute type", { name: "other", computeType: "VM" }, 400, "ACI, AKS, IOT, FPGA"],
    ["a compute that is not there", { name: "other", computeType: "AKS" }, 501, "kubernetes"],
    ["too much memory", { name: "other", containerResourceRequirements: { memoryInGB: 64 } }, 400, "8 GB are free"],
    ["text for a number", { name: "other", containerResourceRequirements: { cpu: "x" } }, 400, "cpu"],
    [
      "a certificate without its key",
      { name: "other", sslEnabled: true, sslCertificate: "PEM" },
      400,
      "sslKey is missing",
    ],
    [
      "a page that is no origin",
      { name: "other", properties: { "slipway.cors": "https://a.example/x" } },
      400,
      "a.example/x",
    ],
    ["a wrong body limit", { name: "other", properties: { "slipway.maxBodyBytes": "-1" } }, 400, '"-1"'],
    [
      "fewer replicas at most than at least",
      { name: "other", autoScaler: { minReplicas: 3, maxReplicas: 2 } },
      400,
      "minReplicas 3",
    ],
    [
      "a utilisation of more than all",
      { name: "other", autoScaler: { targetUtilization: 101 } },
      400,
      "targetUtilization",
    ],
    ["a short key", { name: "other", keys: { primaryKey: "x" } }, 400, "keys.primaryKey"],
  ])("refuses %s", async (_what, more, status, text) => {
    await deployed();
    const answer = await call("POST", "/services", create(more));
    expect(answer).toMatchObject({ status, body: { statusCode: status } });
    expect(answer.body.message).toContain(text);
  });

  it("finds services by every filter, and no other", async () => {
    await deployed({ properties: { team: "a=b" } });
    const names = async (query: string) =>
      (await call("GET", `/services?expand=true&${query}`)).body.value.map(({ name }: { name: string }) => name);
    for (const query of [
      "computeType=ACI",
      "imageName=digits",
      "imageId=digits%3A1",
      "imageDigest=sha256:digits:1",
      "modelName=digits",
      "modelId=digits:1",
      "tags=data",
      "tags=data=mnist",
      "properties=team=a=b",
    ]) {
      expect(await names(query), query).toEqual(["digits"]);
    }
    for (const query of [
      "computeType=AKS",
      "imageName=digit",
      "imageId=digits:2",
      "imageDigest=sha256:0",
      "modelName=other",
      "modelId=digits:2",
      "tags=data=other",
      "tags=data,more",
      "tags=toString",
    ]) {
      expect(await names(query), query).toEqual([]);
    }
  });

  it("answers 404 in the body too", async () => {
    expect(await call("GET", "/services/none?expand=true")).toMatchObject({
      status: 404,
      body: { statusCode: 404, code: "ServiceNotFound" },
    });
    expect((await call("GET", "/operations/none")).body).toMatchObject({ code: "OperationNotFound" });
  });
});

describe("validation", () => {
  it("answers {} when nothing speaks against it", async () => {
    expect(await call("POST", "/services/validate/name/digits", {})).toMatchObject({ status: 200, body: {} });
    const body = { type: "Create", serviceName: "digits", createRequest: create(), updateRequest: null };
    expect((await call("POST", "/services/validate", body)).body).toEqual({});
    expect((await call("POST", "/services/validate/resource", create())).body).toEqual({});
    expect((await call("POST", "/services/validate", { type: "Delete", serviceName: "digits" })).body).toEqual({});
  });

  it("says what speaks against it, with 200", async () => {
    await deployed();
    const taken = await call("POST", "/services/validate/name/digits", {});
    expect(taken).toMatchObject({ status: 200, body: { error: { message: expect.stringContaining("exists") } } });
    const much = create({ containerResourceRequirements: { cpu: 64, memoryInGB: 1 } });
    const resource = await call("POST", "/services/validate/resource", much);
    expect(resource.body.error.message).toContain("4 are free");
    const patch = [{ op: "replace", path: "/imageId", value: "none:1" }];
    const update = { type: "Update", serviceName: "digits", createRequest: null, updateRequest: patch };
    expect((await call("POST", "/services/validate", update)).body.error.message).toContain("none:1");
    const bad = { type: "Create", createRequest: { name: 1 } };
    expect((await call("POST", "/services/validate", bad)).body.error.message).toContain("createRequest");
  });
});

describe("patch", () => {
  it("makes members that are not there and adds properties", async () => {
    await deployed();
    const answer = await call("PATCH", "/services/digits", [
      { op: "replace", path: "/kvTags", value: { a: "b" } },
      { op: "replace", path: "/cname", value: "x" },
      { op: "add", path: "/properties/a~1b", value: "c" },
      { op: "replace", path: "/authEnabled", value: true },
      { op: "replace", path: "/containerResourceRequirements/memoryInGB", value: 2 },
    ]);
    expect(answer.status).toBe(202);
    await call("GET", `/operations/${answer.operation}`);
    expect((await call("GET", "/services/digits")).body).toMatchObject({
      state: "Healthy",
      kvTags: { a: "b" },
      cname: "x",
      properties: { "a/b": "c" },
      authEnabled: true,
      containerResourceRequirements: { cpu: 1, memoryInGB: 2 },
    });
  });

  it.each([
    [{ op: "remove", path: "/description" }, "remove", "/description"],
    [{ op: "replace", path: "/name", value: "other" }, "replace", "/name"],
    [{ op: "replace", path: "/__proto__/x", value: 1 }, "replace", "/__proto__/x"],
    [{ op: "replace", path: "/authEnabled", value: "yes" }, "replace", "/authEnabled"],
    [{ op: "replace", path: "/kvTags", value: { a: 1 } }, "replace", "/kvTags"],
    [{ op: "add", path: "/properties/a", value: 1 }, "add", "/properties/a"],
    [{ op: "replace", path: "/autoScaler/minReplicas", value: -1 }, "replace", "/autoScaler/minReplicas"],
    [{ op: "replace", path: "/autoScaler/colour", value: 1 }, "replace", "/autoScaler/colour"],
    [{ op: "replace", path: "/containerResourceRequirements/cpu", value: -1 }, "replace", "requirements/cpu"],
  ])("refuses %j, naming operation and path", async (operation, op, path) => {
    await deployed();
    const answer = await call("PATCH", "/services/digits", [operation]);
    expect(answer.status).toBe(400);
    expect(answer.body.message.toLowerCase()).toContain(op);
    expect(answer.body.message.toLowerCase()).toContain(path.toLowerCase());
  });

  it("takes origins of pages and body limits to the gateway, by property or by member", async () => {
    await deployed({
      properties: { "slipway.cors": "https://a.example, https://b.example", "slipway.maxBodyBytes": "5000" },
    });
    expect(fixture.gateway.route("digits")).toMatchObject({
      corsOrigins: ["https://a.example", "https://b.example"],
      maxBodyBytes: 5000,
    });
    await call("PATCH", "/services/digits", [{ op: "replace", path: "/corsOrigins", value: ["*"] }]);
    await plane.settled("digits");
    expect(fixture.gateway.route("digits")).toMatchObject({ corsOrigins: ["*"] });
    await call("PATCH", "/services/digits", [{ op: "add", path: "/properties/slipway.cors", value: "" }]);
    await plane.settled("digits");
    expect(fixture.gateway.route("digits")).not.toHaveProperty("corsOrigins");
    const bad = [{ op: "add", path: "/properties/slipway.cors", value: "nonsense" }];
    expect((await call("PATCH", "/services/digits", bad)).status).toBe(400);
  });

  it("takes v1's limits to the gateway", async () => {
    await deployed({ scoringTimeoutMs: 1234, maxQueueWaitMs: 567, maxConcurrentRequestsPerContainer: 3 });
    expect(fixture.gateway.route("digits")).toMatchObject({ scoringTimeoutMs: 1234, maxQueueWaitMs: 567 });
    await call("PATCH", "/services/digits", [{ op: "replace", path: "/maxQueueWaitMs", value: 89 }]);
    await plane.settled("digits");
    expect(fixture.gateway.route("digits")).toMatchObject({ maxQueueWaitMs: 89, revision: 1 });
  });

  it("refuses what belongs to Kubernetes", async () => {
    await deployed();
    const patch = [{ op: "replace", path: "/livenessProbeRequirements/periodSeconds", value: 2 }];
    expect((await call("PATCH", "/services/digits", patch)).status).toBe(501);
  });
});

describe("keys and tokens", () => {
  const opens = (key: string) =>
    fixture.gateway
      .route("digits")
      ?.keyHashes.some(
        ({ salt, hash }) => createHash("sha256").update(Buffer.from(salt, "hex")).update(key).digest("hex") === hash,
      );

  it("come in pairs, are regenerated one by one, and the gateway knows their hashes only", async () => {
    await deployed({ authEnabled: true });
    const before = (await call("POST", "/services/digits/listkeys")).body;
    expect(opens(before.primaryKey) && opens(before.secondaryKey)).toBe(true);
    const answer = await call("POST", "/services/digits/regenerateKeys", { keyType: "Primary", keyValue: null });
    expect(answer.status).toBe(202);
    expect((await call("GET", `/operations/${answer.operation}`)).body.state).toBe("Succeeded");
    const after = (await call("POST", "/services/digits/listkeys")).body;
    expect(after.secondaryKey).toBe(before.secondaryKey);
    expect(after.primaryKey).not.toBe(before.primaryKey);
    expect([opens(before.primaryKey), opens(after.primaryKey), opens(after.secondaryKey)]).toEqual([false, true, true]);
    expect(JSON.stringify(fixture.gateway.snapshots)).not.toContain(after.primaryKey);
    const rows = await fixture.database.selectFrom("service_key").selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(after.primaryKey);
  });

  it("can be chosen", async () => {
    await deployed({ authEnabled: true, keys: { primaryKey: "chosen-by-me", secondaryKey: null } });
    expect((await call("POST", "/services/digits/listkeys")).body.primaryKey).toBe("chosen-by-me");
    await call("POST", "/services/digits/regenerateKeys", { keyType: "Secondary", keyValue: "chosen-too" });
    expect((await call("POST", "/services/digits/listkeys")).body.secondaryKey).toBe("chosen-too");
    const wrong = await call("POST", "/services/digits/regenerateKeys", { keyType: "Third", keyValue: null });
    expect(wrong.status).toBe(400);
  });

  it("gives tokens only where they are switched on", async () => {
    await deployed();
    expect((await call("POST", "/services/digits/token")).body.message).toContain("does not use tokens");
    const patch = [{ op: "replace", path: "/aadAuthEnabled", value: true }];
    const { operation } = await call("PATCH", "/services/digits", patch);
    await call("GET", `/operations/${operation}`);
    expect((await call("POST", "/services/digits/token")).body).toEqual({
      accessToken: "token for /api/v1/service/digits",
      tokenType: "Bearer",
      refreshAfter: 1_001_800,
      expiryOn: 1_003_600,
    });
    expect(fixture.gateway.route("digits")?.auth).toBe("token");
    expect((await call("POST", "/services/digits/listkeys")).status).toBe(400);
  });
});

describe("logs and deletion", () => {
  it("gives logs as one text, the newest lines when asked for few", async () => {
    await deployed();
    const { body } = await call("GET", "/services/digits/logs?tail=5000&init=False");
    expect(body.content).toContain("Starting replica 1 of 1.");
    expect(body.content).toContain("hello from digits:1");
    const { content } = (await call("GET", "/services/digits/logs?tail=1")).body;
    expect(content).toBe("hello from digits:1\n");
  });

  it("deletes with an operation and is 204 afterwards", async () => {
    await deployed();
    const answer = await call("DELETE", "/services/digits");
    expect(answer.status).toBe(202);
    expect((await call("GET", "/services/digits")).status).toBe(404);
    expect((await call("GET", `/operations/${answer.operation}`)).body).toMatchObject({ state: "Succeeded" });
    expect((await call("DELETE", "/services/digits")).status).toBe(204);
  });

  it("shows the build's log when the image was what failed", async () => {
    fixture.builds.set("digits:2", "fail");
    const answer = await call(
      "POST",
      "/services",
      create({ imageId: null, environmentImageRequest: { modelIds: [] } }),
    );
    expect((await call("GET", `/operations/${answer.operation}`)).body).toMatchObject({
      state: "Failed",
      operationLog: "https://localhost/log/digits:2",
      operationDetails: { subOperationType: "BuildImage" },
      error: { code: "ImageNotUsable", statusCode: 400 },
    });
  });
});
