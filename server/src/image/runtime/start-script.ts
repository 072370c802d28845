import { DATA_PLANE_NODE_OPTIONS, imagePaths } from "@slipway/api";

const MAIN = `${imagePaths.runtime}/node_modules/@slipway/scoring/dist/main.js`;
const SCORER = [imagePaths.node, ...DATA_PLANE_NODE_OPTIONS, MAIN].join(" ");
const PROBE = `${imagePaths.runtime}/node_modules/@slipway/scoring/dist/probe.js`;

/** What images have as their health check. */
export const PROBE_COMMAND: readonly string[] = [imagePaths.node, PROBE];

/**
 * The first process of a container has to reap what other processes leave behind, which a shell that waits does and Node cannot,
 * and has to pass signals on. Under `--init` or in a pod with a shared process namespace somebody else does both.
 */
export const START_SCRIPT = `#!/bin/sh
if [ $$ -ne 1 ]; then exec ${SCORER} "$@"; fi
${SCORER} "$@" &
scorer=$!
trap 'kill -TERM $scorer 2>/dev/null' TERM INT HUP
while :; do
  wait $scorer
  status=$?
  # A signal ends the waiting, not the scorer.
  kill -0 $scorer 2>/dev/null || exit $status
done
`;
