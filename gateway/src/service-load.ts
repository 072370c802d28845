/** As far back as decisions to remove replicas look. */
const REMEMBERED_SECONDS = 60;

/**
 * How many requests a service has had at once, waiting or in work: exactly, as the area under the curve, in averages of one
 * second each. It is kept here so that a control plane that was away finds it.
 */
export class ServiceLoad {
  readonly #averages: number[] = [];
  #level = 0;
  #area = 0;
  #changedAtMs: number;
  #tickedAtMs: number;
  /** of the last moment with a request */
  #busyUntilMs: number;

  constructor(nowMs: number) {
    this.#changedAtMs = nowMs;
    this.#tickedAtMs = nowMs;
    this.#busyUntilMs = nowMs;
  }

  /** Requests waiting or in work. */
  get level(): number {
    return this.#level;
  }

  /** Averages of the last seconds, oldest first, 60 at most; fewer after a start of the gateway. */
  get averages(): readonly number[] {
    return this.#averages;
  }

  change(delta: 1 | -1, nowMs: number): void {
    this.#advance(nowMs);
    this.#level += delta;
    if (this.#level === 0) this.#busyUntilMs = nowMs;
  }

  /** Called about once a second. */
  tick(nowMs: number): void {
    this.#advance(nowMs);
    const elapsed = nowMs - this.#tickedAtMs;
    if (elapsed <= 0) return;
    this.#averages.push(this.#area / elapsed);
    if (this.#averages.length > REMEMBERED_SECONDS) this.#averages.shift();
    this.#area = 0;
    this.#tickedAtMs = nowMs;
  }

  /** Milliseconds without any request; 0 while there is one. */
  idleMs(nowMs: number): number {
    return this.#level > 0 ? 0 : nowMs - this.#busyUntilMs;
  }

  #advance(nowMs: number): void {
    this.#area += this.#level * (nowMs - this.#changedAtMs);
    this.#changedAtMs = nowMs;
  }
}
