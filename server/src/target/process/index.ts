export { createProcessTarget, type ProcessTargetOptions, stopAllReplicas } from "./process-target.ts";
