import { globSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Debian's libfaketime, if it is installed. */
const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
export const hasFakeClock = library !== undefined;

/** A wall clock that a program sees instead of the machine's. Its monotonic clock goes on as it does when somebody sets the time. */
export function fakeClock(folder: string) {
  const file = join(folder, "clock");
  const set = (offset: string) => {
    writeFileSync(`${file}.next`, offset);
    renameSync(`${file}.next`, file);
  };
  set("+0d");
  return {
    env: {
      LD_PRELOAD: library ?? "",
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    /** @param offset from the machine's clock: `+2d`, `-3h` */
    set,
  };
}
