/** How much of a step's output the build log keeps; what runs wild would fill the database. */
const MAX_LINES = 10_000;
const MAX_LINE_CHARACTERS = 1_000;
const LAST_LINES = 20;
const LAST_CHARACTERS = 2_000;

/** Colours and other orders to a terminal (ECMA-48), and what cannot be printed. */
const TERMINAL =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Tells what a program prints line by line, while it prints it.
 *
 * @returns the end of it, for the message of its failure
 */
export async function relayOutput(
  parts: AsyncIterable<Uint8Array>,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const decoder = new TextDecoder();
  const last: string[] = [];
  let begun = "";
  let lines = 0;
  const tell = (raw: string) => {
    const line = printable(raw);
    if (line === "") return;
    last.push(line);
    if (last.length > LAST_LINES) last.shift();
    lines++;
    if (lines <= MAX_LINES) say(line);
    else if (lines === MAX_LINES + 1) say(`It prints more than ${MAX_LINES} lines; the others are not kept.`);
  };
  for await (const part of parts) {
    const complete = (begun + decoder.decode(part, { stream: true })).split("\n");
    begun = complete.pop() ?? "";
    for (const line of complete) tell(line);
    // The begin of an endless line is told; all of it would fill the memory.
    if (begun.length > 64 * MAX_LINE_CHARACTERS) begun = begun.slice(0, 2 * MAX_LINE_CHARACTERS);
  }
  tell(begun + decoder.decode());
  while (last.length > 1 && last.join("\n").length > LAST_CHARACTERS) last.shift();
  return last;
}

/** Of a progress bar, which goes back to the begin of its line again and again, the last state. */
function printable(raw: string): string {
  const states = raw.trimEnd().split("\r");
  const text = (states.at(-1) ?? "").replaceAll("\t", " ").replaceAll(TERMINAL, "").trimEnd();
  return text.length > MAX_LINE_CHARACTERS ? `${text.slice(0, MAX_LINE_CHARACTERS)} …` : text;
}
