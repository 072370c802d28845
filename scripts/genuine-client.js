// The genuine azureml-core in an environment of its own.
import { ensurePython } from "./test-python.js";

const PACKAGES = ["azureml-core==1.61.0.post4", "scikit-learn==1.7.2", "setuptools<81"];

/** @returns {{ python?: string, reason?: string }} an interpreter that can import azureml.core and sklearn */
export function ensureGenuineClient() {
  return ensurePython("azureml", PACKAGES, ["azureml.core", "sklearn"]);
}
