// The genuine clients of the Open Inference Protocol in an environment of their own.
import { ensurePython } from "./test-python.js";

const PACKAGES = ["tritonclient[http,grpc]==2.73.0", "kserve==0.21.0"];

/** @returns {{ python?: string, reason?: string }} an interpreter that can import tritonclient and kserve */
export function ensureInferenceClients() {
  return ensurePython("inference", PACKAGES, ["kserve", "tritonclient.grpc", "tritonclient.http"]);
}
