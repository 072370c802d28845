let controller: AbortController | undefined;

/** Fires on the first Ctrl-C or SIGTERM, so that a command can end in order; the second one ends it at once. */
export function interruptSignal(): AbortSignal {
  if (controller !== undefined) return controller.signal;
  const created = new AbortController();
  controller = created;
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => created.abort());
  return created.signal;
}
