export { createProcessTarget, type ProcessTargetOptions } from "./process-target.ts";
