import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Installation, run, startInstallation } from "./harness/installation.ts";
import { registryAccess } from "./harness/registry-access.ts";

const suite = process.env.SLIPWAY_TEST_REGISTRY_CONFORMANCE ?? "";

describe.skipIf(suite === "")("the official conformance suite of the OCI distribution specification", () => {
  let slipway: Installation;
  let folder: string;
  beforeAll(async () => {
    slipway = await startInstallation();
    folder = await mkdtemp(join(tmpdir(), "slipway-conformance-"));
  });
  afterAll(async () => {
    await slipway?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  test("passes in all four categories, and in what the specification leaves open", async () => {
    const { server, username, password, caFile } = await registryAccess(slipway);
    const { code, output } = await run([suite], {
      cwd: folder,
      env: {
        OCI_REGISTRY: server,
        OCI_TLS: "enabled",
        OCI_REPO1: "default/conformance/repo1",
        OCI_REPO2: "default/conformance/repo2",
        OCI_USERNAME: username,
        OCI_PASSWORD: password,
        OCI_VERSION: "1.1",
        OCI_RESULTS_DIR: join(folder, "results"),
        OCI_API_BLOBS_DIGEST_HEADER: "true",
        OCI_API_BLOBS_UPLOAD_CANCEL: "true",
        OCI_API_MANIFESTS_DIGEST_HEADER: "true",
        OCI_API_MANIFESTS_TAG_PARAM: "true",
        SSL_CERT_FILE: caFile,
      },
    });
    const results = Object.fromEntries(
      [...output.matchAll(/^ {2}([A-Z][^.\n]*?)\.+: +(\S+)$/gm)].map((line) => line.slice(1)),
    );
    expect(results, output).toMatchObject({
      // pull
      "Blob get": "Pass",
      "Manifest get by tag": "Pass",
      // push
      "Blob chunked": "Pass",
      "Blob anonymous mount": "Pass",
      "Manifest put with subject": "Pass",
      // content discovery
      "Tag listing": "Pass",
      Referrers: "Pass",
      // content management
      "Tag delete": "Pass",
      "Manifest delete": "Pass",
      "Blob delete": "Pass",
    });
    const others = Object.entries(results).filter(([, result]) => result !== "Pass" && !/^\d+$/.test(String(result)));
    // A manifest whose parts are not there is refused: nothing could be kept for it.
    expect(others, output).toEqual([["Sparse Manifests", "Disabled"]]);
    expect({ failed: results.FAIL, errors: results.Error, code }, output).toEqual({
      failed: "0",
      errors: "0",
      code: 0,
    });
  });
});
