/** What something may be called (wire contract, 6.1, 7.1 and 9.1): the server refuses other names, the command line says so before it does anything. */
export interface NameRule {
  /** of hostile text, in linear time */
  matches(name: string): boolean;
  /** continues "it has": `3 to 32 lower-case letters …` */
  readonly words: string;
}

/** A name becomes a folder of the scorer, hence not "." and "..". */
export const modelNames: NameRule = {
  matches: (name) => /^[A-Za-z0-9._-]{1,255}$/.test(name) && name !== "." && name !== "..",
  words: '1 to 255 letters, digits, "-", "." and "_"',
};

/** A name becomes a repository of the registry. */
export const imageNames: NameRule = {
  matches: (name) => /^(?=.{3,32}$)[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*$/.test(name),
  words:
    '3 to 32 lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit, and no "." beside "." or "-"',
};

export const serviceNames: NameRule = {
  matches: (name) => /^[a-z](?=.{2,31}$)[a-z0-9-]*$/.test(name),
  words: '3 to 32 lower-case letters, digits and "-", beginning with a letter',
};
