export interface TextStream {
  write(text: string): unknown;
}

/** Results go to standard output, as text for people or as JSON for programs; everything else goes to standard error. */
export interface Output {
  readonly json: boolean;
  /** @param value stays stable: scripts read it. @param text made only if it is shown */
  result(value: unknown, text: () => string): void;
}

export function createOutput(json: boolean, stream: TextStream): Output {
  return {
    json,
    result(value, text) {
      const shown = json ? JSON.stringify(value, null, 2) : text();
      if (shown !== "") stream.write(shown.endsWith("\n") ? shown : `${shown}\n`);
    },
  };
}
