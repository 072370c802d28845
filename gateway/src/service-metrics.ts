import { DurationHistogram, type RequestCounts, type RequestOutcome } from "@slipway/api";

/** Older revisions are not reported any more: updates must not make the page longer for ever. */
export const MAX_REVISIONS = 5;

interface RevisionCounts extends RequestCounts {
  readonly outcomes: Map<RequestOutcome, number>;
}

/** What happened to the requests of one service since the gateway began, and what happens now. */
export class ServiceMetrics {
  readonly revisions = new Map<number, RevisionCounts>();
  /** by the code of the refusal */
  readonly refusals = new Map<string, number>();

  finished(revision: number, outcome: RequestOutcome, seconds: number): void {
    const { durations, outcomes } = this.revisions.get(revision) ?? this.#newRevision(revision);
    durations.observe(seconds);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  refused(code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  #newRevision(revision: number): RevisionCounts {
    const counts = { durations: new DurationHistogram(), outcomes: new Map<RequestOutcome, number>() };
    this.revisions.set(revision, counts);
    for (const oldest of this.revisions.keys()) {
      if (this.revisions.size <= MAX_REVISIONS) break;
      this.revisions.delete(oldest);
    }
    return counts;
  }
}
