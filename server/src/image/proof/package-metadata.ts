/** Real ones are below 100 KiB of description; what says the licence stands before that. */
export const MAX_METADATA_BYTES = 64 * 1024;
const MAX_LICENSE_LENGTH = 80;
const MAX_LICENSES = 10;

/**
 * The licences that a package's METADATA names (core metadata specifications 2.4 and before): the expression, else the
 * short name, else the classifiers. What people put there besides, often the whole text of a licence, names none.
 *
 * @param metadata its first bytes; written by whoever made the package, so not UTF-8 either
 */
export function licensesIn(metadata: Uint8Array): readonly string[] {
  const fields = headerFields(Buffer.from(metadata).toString("utf8"));
  const [expression] = fields("license-expression").map(nameOf).filter(isName);
  if (expression !== undefined) return [expression];
  const [stated] = fields("license").map(nameOf).filter(isName);
  if (stated !== undefined && /^[A-Za-z0-9.+-]+$/.test(stated)) return [stated];
  const classified = fields("classifier")
    .filter((classifier) => classifier.startsWith("License ::"))
    .map((classifier) => nameOf(classifier.split("::").at(-1) ?? ""))
    .filter((name) => isName(name) && name !== "OSI Approved");
  if (classified.length > 0) return [...new Set(classified)].sort().slice(0, MAX_LICENSES);
  return stated === undefined ? [] : [stated];
}

/** A licence that is named in one field, if it is a name. */
export function shortLicense(text: string): readonly string[] {
  return [nameOf(text)].filter(isName);
}

/** The headers of a message up to its first empty line; a value may go on in lines that begin with a space. */
function headerFields(text: string): (name: string) => readonly string[] {
  const found: (readonly [name: string, value: string])[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === "") break;
    const [, name, value] = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/.exec(line) ?? [];
    const last = found.at(-1);
    if (name !== undefined) found.push([name.toLowerCase(), value ?? ""]);
    else if (last !== undefined) found[found.length - 1] = [last[0], `${last[1]}\n${line.trim()}`];
  }
  return (name) => found.filter(([key]) => key === name).map(([, value]) => value);
}

/** Control characters would reach terminals. A text over several lines stays one, so that it is seen to be no name. */
const nameOf = (text: string) => text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/g, "").trim();

const isName = (text: string) =>
  text !== "" && text.length <= MAX_LICENSE_LENGTH && !text.includes("\n") && text.toUpperCase() !== "UNKNOWN";
