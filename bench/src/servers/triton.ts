import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { freePort } from "../../../e2e/src/harness/installation.ts";
import { ONNX, pythonPrograms } from "../measure/python-environment.ts";
import { pythonFolder } from "../measure/trained-model.ts";
import { programContender } from "./contender.ts";

const VERSION = "0.7.0";

/**
 * The server that nvidia-pytriton brings to PyPI, without the Python before it: HTTP in C++, ONNX Runtime in Triton's own Python
 * backend. Its ONNX backend comes in container images only.
 */
export const triton = programContender(`Triton (pytriton ${VERSION})`, async ({ folder, port, model }) => {
  const bin = await pythonPrograms([`nvidia-pytriton==${VERSION}`, ...ONNX]);
  const packages = await sitePackages(bin);
  const server = join(packages, "pytriton/tritonserver");
  await writeRepository(folder, model.file);
  await cp(join(server, "backends"), join(folder, "backends"), { recursive: true });
  const stub = join(server, "python_backend_stubs", pythonVersion(packages), "triton_python_backend_stub");
  await cp(stub, join(folder, "backends/python/triton_python_backend_stub"));
  const options = {
    "model-repository": join(folder, "models"),
    "backend-directory": join(folder, "backends"),
    "http-address": "127.0.0.1",
    "http-port": port,
    "http-thread-count": 1,
    "grpc-port": await freePort(),
    "metrics-port": await freePort(),
  };
  const command = [
    join(server, "bin/tritonserver"),
    ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
  ];
  const { rows } = model;
  const input = { name: "X", datatype: "FP32", shape: [rows.length, rows[0]?.length], data: rows };
  const address = {
    url: `http://127.0.0.1:${port}/v2/models/ridge/infer`,
    body: JSON.stringify({ inputs: [input] }),
    predictions: (answer: unknown) => (answer as { outputs: readonly { data: unknown }[] }).outputs[0]?.data,
  };
  const libraries = join(packages, "nvidia_pytriton.libs");
  // The backend's interpreter finds its packages by the first `python3` of the path.
  const env = { LD_LIBRARY_PATH: libraries, PATH: `${bin}:${process.env.PATH}` };
  return { command, env, address };
});

async function writeRepository(folder: string, model: string): Promise<void> {
  const version = join(folder, "models/ridge/1");
  await mkdir(version, { recursive: true });
  await cp(join(pythonFolder, "peers/triton/model.py"), join(version, "model.py"));
  await cp(model, join(version, "model.onnx"));
  const config = `backend: "python"
max_batch_size: 64
input [{ name: "X", data_type: TYPE_FP32, dims: [10] }]
output [{ name: "variable", data_type: TYPE_FP32, dims: [1] }]
instance_group [{ kind: KIND_CPU, count: 1 }]
`;
  await writeFile(join(folder, "models/ridge/config.pbtxt"), config);
}

async function sitePackages(bin: string): Promise<string> {
  const library = join(bin, "../lib");
  const [python = ""] = (await readdir(library)).filter((name) => name.startsWith("python3"));
  return join(library, python, "site-packages");
}

/** `3.11` */
function pythonVersion(packages: string): string {
  return basename(dirname(packages)).replace("python", "");
}
