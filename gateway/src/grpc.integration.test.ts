import { execFile, execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { GatewayFixture, keyHash } from "./test/gateway-fixture.ts";

/** The judge of our gRPC is the genuine client library, with a certificate that it checks. */

// Kept between runs: nothing in it changes.
const environment = join(tmpdir(), "slipway-test-grpcio-1");
const python = join(environment, "bin", "python");

beforeAll(() => {
  if (existsSync(python)) return;
  const building = `${environment}.${process.pid}`;
  rmSync(building, { recursive: true, force: true });
  execFileSync("python3", ["-m", "venv", building], { stdio: "inherit" });
  execFileSync(join(building, "bin", "python"), ["-m", "pip", "install", "-q", "grpcio"], { stdio: "inherit" });
  renameSync(building, environment);
});

const CLIENT = `
import sys, grpc
address, ca = sys.argv[1:]
channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(open(ca, "rb").read()),
                              options=[("grpc.max_receive_message_length", -1)])
call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
route = ("x-ms-aml-grpc-service-route", "/api/v1/service/digits")
key = ("authorization", "Bearer secret-key")

answer, info = call.with_call(b"tensor", metadata=[route, key], timeout=10)
print(answer.decode(), info.code().name, dict(info.initial_metadata())["x-model"])
print(len(call(b"x" * 4_000_000, metadata=[route, key], timeout=30)))

def failure(**arguments):
    try:
        call(arguments.pop("message", b"tensor"), **arguments)
    except grpc.RpcError as error:
        # Whose clock ends a call first, the client's or the gateway's, is a race: the words differ, the code does not.
        own_words = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        print(error.code().name, "" if own_words else error.details().split(":")[0])

failure(metadata=[route], timeout=10)
failure(metadata=[key, ("x-slipway-service", "nobody")], timeout=10)
failure(metadata=[route, key], timeout=10, message=b"fail")
failure(metadata=[route, key], timeout=0.3, message=b"hang")
failure(metadata=[route, key], timeout=10, message=b"x" * 6_000_000)
failure(metadata=[route, key], timeout=10, compression=grpc.Compression.Gzip, message=b"x" * 10_000)
`;

test("grpcio calls a service: messages, deadlines, and errors by their names", async () => {
  await using fixture = new GatewayFixture();
  const scorer = await fixture.scorer("a1", ({ payload, respond }) => {
    if (payload.toString() === "hang") return;
    if (payload.toString() === "fail") respond(200, { "grpc-status": "3", "grpc-message": "größe: falsch" }, "");
    else respond(200, { "grpc-status": "0", "x-model": "ridge" }, payload);
  });
  const keyHashes = [keyHash("secret-key")];
  fixture.writeRoutes([fixture.route("digits", [scorer], { auth: "key", keyHashes, maxBodyBytes: 5_000_000 })]);
  await fixture.start();
  await fixture.connected();

  const { stdout } = await promisify(execFile)(python, [
    "-c",
    CLIENT,
    `localhost:${fixture.port}`,
    fixture.config.certificateFile,
  ]);

  expect(stdout.trim().split("\n")).toEqual([
    "tensor OK ridge",
    "4000000",
    "UNAUTHENTICATED CredentialMissing",
    "NOT_FOUND ServiceNotFound",
    "INVALID_ARGUMENT größe",
    "DEADLINE_EXCEEDED ",
    "RESOURCE_EXHAUSTED BodyTooLarge",
    "UNIMPLEMENTED GrpcMessageUnsupported",
  ]);
});
