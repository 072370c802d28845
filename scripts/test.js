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

/** The machines that run this are shared and noisy. A fault fails again; more files than this at once are no accident. */
const MOST_SECOND_TRIES = 3;

const first = runVitest(process.argv.slice(2));
for (const test of first.tests) {
  if (test.status === "pending" || test.status === "skipped") console.log(`skipped: ${test.fullName}`);
}
const skippedInCi = process.env.CI === "true" && first.numPendingTests > 0;
if (skippedInCi) console.error("In CI nothing may be skipped.");
console.log(
  `${first.numPassedTests} passed, ${first.numFailedTests} failed${first.numPendingTests > 0 ? `, ${first.numPendingTests} skipped` : ""}`,
);
process.exit((first.ok || passesAlone(first)) && !skippedInCi ? 0 : 1);

function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "slipway-test-"));
  const report = join(folder, "report.json");
  const { status } = spawnSync(
    "vitest",
    ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...args],
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
  const result = JSON.parse(readFileSync(report, "utf8"));
  rmSync(folder, { recursive: true });
  return { ...result, ok: status === 0, tests: result.testResults.flatMap((file) => file.assertionResults) };
}

/** Runs the files that failed once more, with nothing beside them, and names what passes only then: its cause is to be mended, too. */
function passesAlone({ testResults, tests, numFailedTests }) {
  const files = testResults.filter(({ status }) => status === "failed").map(({ name }) => name);
  if (numFailedTests === 0 || files.length > MOST_SECOND_TRIES) return false;
  console.log("\nOnce more, alone:");
  const second = runVitest(["--no-file-parallelism", ...files]);
  for (const { status, fullName } of tests) {
    if (status === "failed") console.log(`failed at first, ${second.ok ? "passed alone" : "see above"}: ${fullName}`);
  }
  return second.ok;
}
