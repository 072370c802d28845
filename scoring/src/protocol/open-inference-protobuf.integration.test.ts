import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { InputError, type Tensor } from "../tensor/tensor.ts";
import {
  readInferenceMessage,
  readModelName,
  writeInferenceMessage,
  writeModelMessage,
  writeServerMessage,
  writeYesMessage,
} from "./open-inference-protobuf.ts";

/** The interpreter with tritonclient; `npm test` installs it and names it here. */
const python = process.env.SLIPWAY_TEST_INFERENCE_PYTHON ?? "";

/** Runs Python with tritonclient's own protobuf classes as `pb`, and gives back the JSON that it prints. */
function genuine(code: string, ...args: readonly string[]): unknown {
  const program = [
    "import base64, json, sys",
    "from google.protobuf import json_format",
    "from tritonclient.grpc import service_pb2 as pb",
    "bytes_of = lambda message: base64.b64encode(message.SerializeToString()).decode()",
    code,
  ].join("\n");
  const { status, stdout, stderr } = spawnSync(python, ["-c", program, ...args], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const asBytes = (base64: unknown) => Buffer.from(String(base64), "base64");
const asText = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describe.skipIf(python === "")("beside tritonclient's classes", () => {
  it("requests with contents of every type are read", () => {
    const message = asBytes(
      genuine(`
request = pb.ModelInferRequest(model_name="m", model_version="3", id="r")
request.parameters["priority"].int64_param = 1
def add(name, datatype, shape, **contents):
    tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
    tensor.parameters["p"].string_param = "ignored"
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
add("bool", "BOOL", [2], bool_contents=[True, False])
add("int8", "INT8", [2], int_contents=[-128, 127])
add("int32", "INT32", [2], int_contents=[-2**31, 2**31 - 1])
add("int64", "INT64", [2], int64_contents=[-2**63, 2**63 - 1])
add("uint8", "UINT8", [1], uint_contents=[255])
add("uint32", "UINT32", [1], uint_contents=[2**32 - 1])
add("uint64", "UINT64", [1], uint64_contents=[2**64 - 1])
add("fp32", "FP32", [1, 2], fp32_contents=[1.5, -2])
add("fp64", "FP64", [2], fp64_contents=[0.1, 1e300])
add("bytes", "BYTES", [2], bytes_contents=["é".encode(), b""])
request.outputs.add(name="y")
print(json.dumps(bytes_of(request)))
`),
    );
    expect(readModelName(message)).toEqual({ name: "m", version: "3" });
    const { id, inputs, outputs } = readInferenceMessage(message);
    expect([id, outputs]).toEqual(["r", [{ name: "y" }]]);
    expect(Object.fromEntries(inputs.map(({ name, data }) => [name, data]))).toEqual({
      bool: new Uint8Array([1, 0]),
      int8: new Int8Array([-128, 127]),
      int32: new Int32Array([-(2 ** 31), 2 ** 31 - 1]),
      int64: new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]),
      uint8: new Uint8Array([255]),
      uint32: new Uint32Array([2 ** 32 - 1]),
      uint64: new BigUint64Array([2n ** 64n - 1n]),
      fp32: new Float32Array([1.5, -2]),
      fp64: new Float64Array([0.1, 1e300]),
      bytes: ["é", ""],
    });
    expect(inputs.find(({ name }) => name === "fp32")?.dims).toEqual([1, 2]);
  });

  it("requests with raw contents are read, and mistakes in them named", () => {
    const [good, few, both, small] = genuine(`
def request(raw, **contents):
    message = pb.ModelInferRequest(model_name="m")
    for name in ("a", "b"):
        message.inputs.add(name=name, datatype="FP16", shape=[1])
    for field, values in contents.items():
        getattr(message.inputs[0].contents, field).extend(values)
    message.raw_input_contents.extend(raw)
    return message
small = pb.ModelInferRequest()
small.inputs.add(name="c", datatype="INT8", shape=[1]).contents.int_contents.append(300)
halves = [b"\\x00\\x3c", b"\\x00\\xc0"]
print(json.dumps([bytes_of(one) for one in (
    request(halves), request(halves[:1]), request(halves, fp32_contents=[1]), small)]))
`) as string[];
    expect(readInferenceMessage(asBytes(good)).inputs.map(({ data }) => data)).toEqual([
      new Uint16Array([0x3c00]),
      new Uint16Array([0xc000]),
    ]);
    expect(() => readInferenceMessage(asBytes(few))).toThrow(/raw_input_contents has 1 entries for 2 inputs/);
    expect(() => readInferenceMessage(asBytes(both))).toThrow(/a has both contents and raw_input_contents/);
    expect(() => readInferenceMessage(asBytes(small))).toThrow(
      /c\[0\] must be a whole number from -128 to 127, not 300/,
    );
  });

  it("answers are what the classes expect", () => {
    const outputs: readonly Tensor[] = [
      { name: "y", type: "float32", dims: [1, 2], data: new Float32Array([1.5, 2]) },
      { name: "s", type: "string", dims: [], data: ["é"] },
    ];
    const tensor = { name: "x", datatype: "FP32", shape: [-1, 4] };
    const messages = {
      ModelInferResponse: writeInferenceMessage({ model: "m", version: "3", id: "r", outputs }),
      ServerMetadataResponse: writeServerMessage({ name: "slipway", version: "1", extensions: ["a", "b"] }),
      ModelMetadataResponse: writeModelMessage({
        ...{ name: "m", versions: ["3"], platform: "python", inputs: [tensor], outputs: [{ ...tensor, shape: [] }] },
      }),
      ServerLiveResponse: writeYesMessage(true),
      ModelReadyResponse: writeYesMessage(false),
    };
    const read = genuine(
      `
given = json.loads(sys.argv[1])
def read(kind, text):
    message = getattr(pb, kind)()
    message.ParseFromString(base64.b64decode(text))
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
print(json.dumps({kind: read(kind, text) for kind, text in given.items()}))
`,
      JSON.stringify(Object.fromEntries(Object.entries(messages).map(([kind, bytes]) => [kind, asText(bytes)]))),
    );
    expect(read).toEqual({
      ModelInferResponse: {
        model_name: "m",
        model_version: "3",
        id: "r",
        outputs: [
          { name: "y", datatype: "FP32", shape: ["1", "2"] },
          { name: "s", datatype: "BYTES" },
        ],
        raw_output_contents: [
          asText(new Uint8Array(new Float32Array([1.5, 2]).buffer)),
          asText(Buffer.from("\x02\0\0\0é")),
        ],
      },
      ServerMetadataResponse: { name: "slipway", version: "1", extensions: ["a", "b"] },
      ModelMetadataResponse: {
        name: "m",
        versions: ["3"],
        platform: "python",
        inputs: [{ name: "x", datatype: "FP32", shape: ["-1", "4"] }],
        outputs: [{ name: "x", datatype: "FP32" }],
      },
      ServerLiveResponse: { live: true },
      ModelReadyResponse: {},
    });
  });
});

it.each([
  ["cut off", [0x0a, 9, 65]],
  ["of a wire type that there is not", [0x0f]],
  ["with a length without end", [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ["with a text that is not UTF-8", [0x1a, 1, 0xff]],
])("a message that is %s is refused", (_, bytes) => {
  expect(() => readInferenceMessage(new Uint8Array(bytes))).toThrow(InputError);
});
