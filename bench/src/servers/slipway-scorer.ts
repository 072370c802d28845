import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DATA_PLANE_NODE_OPTIONS, type ScorerConfig } from "@slipway/api";
import { repository } from "../../../e2e/src/harness/installation.ts";
import { pythonPrograms, SCIKIT_LEARN } from "../measure/python-environment.ts";
import { dataBody } from "../measure/trained-model.ts";
import { type Contender, programContender, type ScoringAddress, type Stage } from "./contender.ts";

interface ScorerOptions {
  /** a Python worker with the script and scikit-learn if not given */
  readonly runtime?: (stage: Stage) => Promise<ScorerConfig["runtime"]>;
  readonly workers?: number;
  readonly predictions?: ScoringAddress["predictions"];
}

/** The scorer as `docker run` starts it: plain HTTP, no gateway before it. */
export function slipwayScorer({ runtime = pythonWorker, workers = 1, predictions }: ScorerOptions = {}): Contender {
  return programContender("Slipway's scorer alone", async (stage) => {
    const { folder, port, model } = stage;
    const config: ScorerConfig = {
      replicaId: "bench",
      nonce: "bench",
      service: "ridge",
      revision: 1,
      runFolder: folder,
      httpSocket: join(folder, "http.sock"),
      framesSocket: join(folder, "frames.sock"),
      httpPort: port,
      runtime: await runtime(stage),
      workers,
      threads: 1,
      memoryGuard: "none",
      startTimeoutMs: 60_000,
      scoringTimeoutMs: 60_000,
      maxBodyBytes: 16 * 1024 * 1024,
      legacyStatusCodes: false,
    };
    await writeFile(join(folder, "scorer.json"), JSON.stringify(config));
    const main = join(repository, "scoring/src/main.ts");
    return {
      command: [process.execPath, "--conditions=slipway-source", ...DATA_PLANE_NODE_OPTIONS, main, folder],
      address: {
        url: `http://127.0.0.1:${port}/score`,
        body: dataBody(model),
        ...(predictions !== undefined && { predictions }),
      },
    };
  });
}

async function pythonWorker({ folder }: Stage): Promise<ScorerConfig["runtime"]> {
  return {
    kind: "python",
    command: [join(await pythonPrograms(SCIKIT_LEARN), "python")],
    env: { PATH: process.env.PATH ?? "", AML_APP_ROOT: folder, AZUREML_MODEL_DIR: folder },
    appRoot: folder,
    entryScript: "score.py",
  };
}
