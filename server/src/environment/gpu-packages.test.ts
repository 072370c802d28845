import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { gpuWarnings, withoutUnusedGpu } from "./gpu-packages.ts";

const lock = (...names: string[]) =>
  names.map((name) => `${name}==1.0 \\\n    --hash=sha256:${"0".repeat(64)}\n`).join("");

it.each([
  ["XGBoost alone", ["numpy", "nvidia-nccl-cu12", "xgboost"], ["xgboost"], ["numpy", "xgboost"]],
  ["what was asked for by name", ["nvidia-nccl-cu12", "xgboost"], ["xgboost", "nvidia-nccl-cu12>=2"], undefined],
  ["PyTorch beside it", ["nvidia-cublas", "nvidia-nccl-cu13", "torch", "xgboost"], ["torch", "xgboost"], undefined],
  ["no XGBoost", ["nvidia-nccl-cu12", "other"], ["other"], undefined],
  ["nothing for GPUs", ["numpy"], ["numpy"], undefined],
])("of %s", (_, names, requirements, left) => {
  const { lock: kept, notes } = withoutUnusedGpu(lock(...names), requirements);
  expect(kept).toBe(left === undefined ? lock(...names) : lock(...left));
  expect(notes).toHaveLength(left === undefined ? 0 : 1);
});

it("tells how large what nobody asked for is, and who asked for it", async () => {
  const sitePackages = await mkdtemp(join(tmpdir(), "slipway-gpu-"));
  await mkdir(join(sitePackages, "nvidia", "cublas"), { recursive: true });
  await writeFile(join(sitePackages, "nvidia", "cublas", "libcublas.so"), Buffer.alloc(3 * 1024 * 1024));
  const [warning] = await gpuWarnings(lock("nvidia-cublas", "torch", "triton"), sitePackages);
  expect(warning).toMatch(
    /2 packages for it are installed \(3 MB\), since torch asks for them: nvidia-cublas, triton\./,
  );
  expect(warning).toContain("--extra-index-url");
  expect(await gpuWarnings(lock("numpy"), sitePackages)).toEqual([]);
  await rm(sitePackages, { recursive: true });
});
