import { colors } from "./colors.ts";
import { duration, printable } from "./format.ts";

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Step {
  /** a line that stays, with the time since the step began */
  log(text: string): void;
  /** what is going on right now; shown on a terminal only */
  now(text: string): void;
}

export interface Progress {
  /** Runs the work and shows its title, how long it takes, and whether it succeeded. */
  step<Result>(title: string, work: (step: Step) => Promise<Result>): Promise<Result>;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const FRAME_MS = 100;
const CLEAR_LINE = "\r\u001b[2K";

export function createProgress(stream: ProgressStream, silent: boolean): Progress {
  if (silent) return { step: (_title, work) => work({ log() {}, now() {} }) };
  return stream.isTTY === true ? liveProgress(stream) : plainProgress(stream);
}

/** For files and pipes: only lines, nothing is redrawn. */
function plainProgress(stream: ProgressStream): Progress {
  return {
    async step(title, work) {
      const started = Date.now();
      const elapsed = () => duration(Date.now() - started);
      stream.write(`${title} ...\n`);
      try {
        const result = await work({
          log: (text) => stream.write(`  [${elapsed()}] ${printable(text)}\n`),
          now() {},
        });
        stream.write(`${title}: done in ${elapsed()}\n`);
        return result;
      } catch (error) {
        stream.write(`${title}: failed after ${elapsed()}\n`);
        throw error;
      }
    },
  };
}

/** For a terminal: the running step is one line that is drawn again and again, below its log. */
function liveProgress(stream: ProgressStream): Progress {
  return {
    async step(title, work) {
      const started = Date.now();
      const elapsed = () => duration(Date.now() - started);
      let current = "";
      let frame = 0;
      const draw = () => {
        const room = (stream.columns ?? 80) - title.length - elapsed().length - 8;
        const text = room > 8 ? current.slice(0, room) : "";
        stream.write(
          `${CLEAR_LINE}${colors.cyan(FRAMES[frame % FRAMES.length] ?? "")} ${title}  ${colors.dim(`${elapsed()}  ${text}`)}`,
        );
        frame += 1;
      };
      draw();
      const timer = setInterval(draw, FRAME_MS);
      try {
        const result = await work({
          log(text) {
            stream.write(`${CLEAR_LINE}${colors.dim(`  ${elapsed().padStart(8)}  ${printable(text)}`)}\n`);
            draw();
          },
          now(text) {
            current = printable(text);
          },
        });
        stream.write(`${CLEAR_LINE}${colors.green("✓")} ${title}  ${colors.dim(elapsed())}\n`);
        return result;
      } catch (error) {
        stream.write(`${CLEAR_LINE}${colors.red("✗")} ${title}  ${colors.dim(elapsed())}\n`);
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
