import { createColors } from "picocolors";

const { NO_COLOR, FORCE_COLOR } = process.env;

/** Colours for people at a terminal only: the library would also colour what a CI job collects. `NO_COLOR` and `FORCE_COLOR` decide otherwise. */
export const colors = createColors(
  (NO_COLOR ?? "") === "" && ((FORCE_COLOR ?? "") !== "" || process.stdout.isTTY === true),
);
