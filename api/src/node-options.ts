/**
 * For the Node of gateway and scorer. Otherwise V8 shares the collection of each few megabytes out to four threads and waits for all of
 * them: on a busy core each waits its turn behind the workers, and a pause of 0.1 ms becomes one of 10.
 */
export const DATA_PLANE_NODE_OPTIONS: readonly string[] = ["--single-threaded-gc"];
