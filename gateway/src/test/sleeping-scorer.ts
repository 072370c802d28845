import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startFramedScorer } from "./framed-scorer.ts";

/** A program that a start file names: ready after a while, answers its pid, finishes what it has when it is told to end. */
const folder = process.argv[2] ?? "";
const readyAt = performance.now() + 200;
appendFileSync(join(folder, "starts"), `${process.pid}\n`);
// What a dead one left, as the scorer does it.
rmSync(join(folder, "frames.sock"), { force: true });
let inWork = 0;
const scorer = await startFramedScorer({
  id: "sleepy",
  socket: join(folder, "frames.sock"),
  onRequest({ head, respond }) {
    if (head.p === "/ready") return respond(performance.now() < readyAt ? 503 : 200, {}, "");
    if (head.q === "exit") process.exit(1);
    inWork += 1;
    setTimeout(
      () => {
        respond(performance.now() < readyAt ? 500 : 200, {}, String(process.pid));
        inWork -= 1;
      },
      head.q === "slow" ? 500 : 5,
    );
  },
});
process.on("SIGTERM", () => {
  scorer.event({ draining: true });
  setInterval(() => {
    if (inWork === 0) process.exit(0);
  }, 50);
});
// A test that was killed must not leave it behind for ever.
setTimeout(() => process.exit(2), 60_000);
