import { colors } from "./colors.ts";

/** A state of anything, in the colour of what it means. */
export function stateWord(state: string): string {
  switch (state) {
    case "Healthy":
    case "Succeeded":
      return colors.green(state);
    case "Failed":
    case "TimedOut":
    case "Unhealthy":
      return colors.red(state);
    case "Running":
    case "NotStarted":
    case "Transitioning":
      return colors.yellow(state);
    default:
      return state;
  }
}
