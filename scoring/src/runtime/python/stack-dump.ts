import { isAbsolute, relative, sep } from "node:path";
import type { StackPlace } from "../../scorer-errors.ts";

const START = /^Timeout \(/;
const THREAD = /^(Thread|Current thread) 0x/;
/** Of python/slipway_worker/worker.py: what runs while the script is imported and initialised. */
const START_FUNCTIONS: ReadonlySet<string> = new Set(["_import_script", "_init_script"]);
const FRAME = /^ {2}File "(.+)", line (\d+) in (.+)$/;

/** Collects what Python's faulthandler writes between the other lines of standard error. */
export class StackDump {
  readonly #lines: string[] = [];
  #open = false;

  take(line: string): void {
    const belongs = START.test(line) || THREAD.test(line) || FRAME.test(line);
    if (START.test(line)) this.#open = true;
    if (this.#open && belongs) this.#lines.push(line);
  }

  get size(): number {
    return this.#lines.length;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  /** Where the script was: the innermost frame in the user's files, of the thread that starts the script. */
  place(appRoot: string): StackPlace | undefined {
    const frames = this.#mainThread();
    const own = frames.find(({ file }) => isWithin(appRoot, file));
    const place = own ?? frames[0];
    if (place === undefined) return undefined;
    return isWithin(appRoot, place.file) ? { ...place, file: relative(appRoot, place.file) } : place;
  }

  #mainThread(): StackPlace[] {
    const threads: StackPlace[][] = [];
    for (const line of this.#lines) {
      const frame = FRAME.exec(line);
      if (frame === null) threads.push([]);
      else threads.at(-1)?.push({ file: frame[1] ?? "", line: Number(frame[2]), name: frame[3] ?? "" });
    }
    return threads.find((thread) => thread.some(({ name }) => START_FUNCTIONS.has(name))) ?? threads.at(-1) ?? [];
  }
}

function isWithin(folder: string, file: string): boolean {
  const path = relative(folder, file);
  return path !== "" && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
