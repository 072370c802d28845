// `npm test`: sets up what it may, names what is missing, runs everything. In CI a missing real part is a failure.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDebianPackages } from "./debian-packages.js";
import { ensureGenuineClient } from "./genuine-client.js";
import { ensureOras, ensureRegistryConformance } from "./go-programs.js";
import { ensureInferenceClients } from "./inference-clients.js";

const missing = ensureDebianPackages([
  { name: "bubblewrap", program: "bwrap", why: "services' code is tested inside its sandbox" },
  { name: "faketime", program: "faketime", why: "clocks are set forward and back under the gateway" },
  { name: "prometheus", program: "prometheus", why: "a real Prometheus reads the gateway's metrics" },
  {
    name: "docker-registry",
    program: "docker-registry",
    why: "images are pulled from and pushed to a registry of others",
  },
  { name: "curl", program: "curl", why: "the curl line that `slipway service deploy` prints is run" },
  { name: "skopeo", program: "skopeo", why: "it pushes to and pulls from the registry" },
  { name: "podman", program: "podman", why: "it pushes to and pulls from the registry" },
  { name: "docker.io", program: "dockerd", why: "it pushes to and pulls from the registry" },
  { name: "containerd", program: "ctr", why: "it pushes to and pulls from the registry" },
]);
const client = ensureGenuineClient();
if (client.python === undefined) missing.push(`azureml-core (${client.reason})`);
const inference = ensureInferenceClients();
if (inference.python === undefined) missing.push(`tritonclient and kserve (${inference.reason})`);
const conformance = ensureRegistryConformance();
if (conformance.program === undefined) missing.push(`the registry's conformance suite (${conformance.reason})`);
const oras = ensureOras();
if (oras.program === undefined) missing.push(`oras (${oras.reason})`);
if (missing.length > 0) {
  console.log(`Not available here: ${missing.join(", ")}. Tests that need them are skipped, each with its name.`);
  if (process.env.CI === "true") {
    console.error("In CI nothing may be skipped.");
    process.exit(1);
  }
}

const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
const report = join(folder, "report.json");
const { status } = spawnSync(
  "vitest",
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      SLIPWAY_TEST_AZUREML_PYTHON: client.python ?? "",
      SLIPWAY_TEST_INFERENCE_PYTHON: inference.python ?? "",
      SLIPWAY_TEST_REGISTRY_CONFORMANCE: conformance.program ?? "",
      SLIPWAY_TEST_ORAS: oras.program ?? "",
    },
  },
);
const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
rmSync(folder, { recursive: true });
for (const file of testResults) {
  for (const test of file.assertionResults) {
    if (test.status === "pending" || test.status === "skipped") console.log(`skipped: ${test.fullName}`);
  }
}
const skippedInCi = process.env.CI === "true" && numPendingTests > 0;
if (skippedInCi) console.error("In CI nothing may be skipped.");
console.log(
  `${numPassedTests} passed, ${numFailedTests} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ""}`,
);
process.exit(status === 0 && !skippedInCi ? 0 : 1);
