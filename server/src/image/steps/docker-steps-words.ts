/** A word of a step: pieces of text, and variables that get their value when the base is known. */
export type Word = readonly Piece[];
export type Piece =
  | { readonly text: string }
  | { readonly variable: string; readonly otherwise?: readonly ["-" | "+", string] };

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * Reads words as Docker does: separated by blanks, quoted by `"` or `'`, `\` before any character, `$NAME`, `${NAME}`, `${NAME:-x}`
 * and `${NAME:+x}` outside of single quotes.
 *
 * @throws {Error} in words, for the message of whoever knows the line
 */
export function readWords(source: string): Word[] {
  const words: Word[] = [];
  for (let at = skipBlanks(source, 0); at < source.length; ) {
    const [word, end] = readWord(source, at);
    words.push(word);
    at = skipBlanks(source, end);
  }
  return words;
}

export function expand(word: Word, variables: Readonly<Record<string, string>>): string {
  return word
    .map((piece) => {
      if ("text" in piece) return piece.text;
      const value = Object.hasOwn(variables, piece.variable) ? (variables[piece.variable] ?? "") : "";
      const [how, other] = piece.otherwise ?? [];
      if (how === "-") return value === "" ? other : value;
      if (how === "+") return value === "" ? "" : other;
      return value;
    })
    .join("");
}

function skipBlanks(source: string, from: number): number {
  let at = from;
  while (at < source.length && /\s/.test(source[at] ?? "")) at++;
  return at;
}

function readWord(source: string, from: number): readonly [Word, number] {
  const pieces: Piece[] = [];
  let text = "";
  let quote = "";
  let at = from;
  const flush = () => {
    if (text !== "") pieces.push({ text });
    text = "";
  };
  while (at < source.length) {
    const character = source[at] ?? "";
    if (quote === "" && /\s/.test(character)) break;
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (character === "\\" && quote !== "'") {
      const next = source[at + 1] ?? "";
      // Within double quotes a backslash is itself before most characters.
      text += quote === '"' && !'"$\\'.includes(next) ? `\\${next}` : next;
      at++;
    } else if (character === "$" && quote !== "'") {
      const [piece, end] = readVariable(source, at + 1);
      if (piece === undefined) text += "$";
      else {
        flush();
        pieces.push(piece);
        at = end - 1;
      }
    } else text += character;
    at++;
  }
  if (quote !== "") throw new Error(`a ${quote} is not closed`);
  flush();
  return [pieces, at];
}

function readVariable(source: string, from: number): readonly [Piece | undefined, number] {
  const braced = source[from] === "{";
  const start = braced ? from + 1 : from;
  const name = NAME.exec(source.slice(start, start + 256))?.[0];
  if (!braced) return name === undefined ? [undefined, from] : [{ variable: name }, start + name.length];
  const end = source.indexOf("}", start);
  const rest = end === -1 || name === undefined ? undefined : source.slice(start + name.length, end);
  const otherwise = /^:([-+])([^$"'\\]*)$/.exec(rest ?? "");
  if (name === undefined || rest === undefined || (rest !== "" && otherwise === null)) {
    throw new Error(`\${…} must be \${NAME}, \${NAME:-text} or \${NAME:+text}`);
  }
  if (otherwise === null) return [{ variable: name }, end + 1];
  return [{ variable: name, otherwise: [otherwise[1] === "-" ? "-" : "+", otherwise[2] ?? ""] }, end + 1];
}
