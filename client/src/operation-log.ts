export interface LogEntry {
  readonly time: Date;
  readonly text: string;
}

/**
 * Reads `streamingOperationLog` (wire contract, section 8): `yyyymmddHHMMSS|text` in UTC, each entry ended by `#`. Pieces may end anywhere;
 * `offset` is what the next request sends. It counts characters as the genuine client does: code points, not UTF-16 units.
 */
export function createLogReader() {
  let offset = 0;
  let rest = "";
  return {
    get offset() {
      return offset;
    },
    read(piece: string): LogEntry[] {
      for (const _ of piece) offset += 1;
      const parts = (rest + piece).split("#");
      rest = parts.pop() ?? "";
      return parts.map(parseEntry).filter((entry) => entry !== undefined);
    },
  };
}

function parseEntry(text: string): LogEntry | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\|(.*)$/su.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  return { time: new Date(Date.UTC(year, month - 1, day, hour, minute, second)), text: match[7] ?? "" };
}
