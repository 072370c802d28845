import { afterEach } from "vitest";
import { type ScorerUnderTest, startOnnxScorer, startPythonScorer } from "./scorer-under-test.ts";

export interface StartedScorers {
  python(...args: Parameters<typeof startPythonScorer>): ScorerUnderTest;
  /** the same, and waits until it is ready */
  readyPython(...args: Parameters<typeof startPythonScorer>): Promise<ScorerUnderTest>;
  onnx(...args: Parameters<typeof startOnnxScorer>): ScorerUnderTest;
  track(scorer: ScorerUnderTest): ScorerUnderTest;
}

/** Scorers that end with the test that started them. */
export function startedScorers(): StartedScorers {
  const started: ScorerUnderTest[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((scorer) => scorer.dispose()));
  });
  const track = (scorer: ScorerUnderTest) => {
    started.push(scorer);
    return scorer;
  };
  return {
    track,
    python: (...args) => track(startPythonScorer(...args)),
    async readyPython(...args) {
      const scorer = track(startPythonScorer(...args));
      await scorer.until(({ phase }) => phase === "ready");
      return scorer;
    },
    onnx: (...args) => track(startOnnxScorer(...args)),
  };
}
